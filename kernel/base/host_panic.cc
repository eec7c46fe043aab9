// panic and log for host tests: to stderr.
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#include "kernel/base/log.h"

void panic(const char* format, ...) {
    va_list args;
    va_start(args, format);
    fputs("PANIC: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    abort();
}

void log(LogLevel, const char* format, ...) {
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}
