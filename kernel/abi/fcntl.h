// open(2), fcntl(2), *at(2) constants (Linux x86-64 asm-generic/fcntl.h).
#pragma once
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

namespace abi {
// The C library says 0, as all its calls allow large files.
inline constexpr int kLargeFile = 0100000;
}  // namespace abi
