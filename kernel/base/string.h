// The C string functions that the kernel uses and that the compiler calls by itself. The
// declarations are the C library's header, so that code compiled for the host agrees with
// them; the definitions are kernel/base/string.cc.
#pragma once
#include <cstring>

// Copies at most size - 1 bytes of `from` and always ends `to` with NUL. Returns whether all
// of it fitted.
bool copy_string(char* to, const char* from, size_t size);
