// ELF64 files (System V gABI chapters 4 and 5) and the auxiliary vector's types (System V ABI
// x86-64, 3.4.3).
#pragma once
#include <elf.h>
