// mmap(2), mremap(2), madvise(2) constants (Linux asm-generic/mman.h).
#pragma once
#include <sys/mman.h>
