// What a C++ program expects of its environment, as far as the kernel has it: constructors of
// static objects, and the C string functions, which the compiler also calls by itself. The
// declarations of these are the C library's header, so that code compiled for the host agrees
// with them; the definitions are kernel/base/runtime.cc.
#pragma once
#include <cstring>

// Copies at most size - 1 bytes of `from` and always ends `to` with NUL. Returns whether all
// of it fitted.
bool copy_string(char* to, const char* from, size_t size);

// Runs the constructors of static objects, in link order. Once, first thing in kmain.
void run_constructors();
