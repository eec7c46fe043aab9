// File types, modes and struct stat (Linux x86-64 asm/stat.h, POSIX sys/stat.h).
#pragma once
#include <sys/stat.h>

static_assert(sizeof(struct stat) == 144);
