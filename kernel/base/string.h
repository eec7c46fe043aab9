// The C string functions that the kernel uses and that the compiler calls by itself.
#pragma once
#include <cstddef>

extern "C" {
void* memcpy(void* to, const void* from, size_t size);
void* memmove(void* to, const void* from, size_t size);
void* memset(void* to, int byte, size_t size);
int memcmp(const void* a, const void* b, size_t size);
size_t strlen(const char* text);
size_t strnlen(const char* text, size_t max);
int strcmp(const char* a, const char* b);
int strncmp(const char* a, const char* b, size_t max);
}
// Copies at most size - 1 bytes of `from` and always ends `to` with NUL. Returns whether all
// of it fitted.
bool copy_string(char* to, const char* from, size_t size);
