// Lab 7's test programs: files of /proc, the profiler's switch, and work of known size.
#pragma once
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/tests/lib/check.h"
#include "user/tests/lib/figure.h"
#include "user/tests/lib/report.h"

inline constexpr uint64_t kTicksAMillisecond = 1'000'000;  // of icount

// A whole file of /proc, with a NUL behind it, in memory that the next call with the same
// `which` may move; "" where it cannot be read.
inline char* read_file(const char* path, int which = 0) {
    static char* texts[2];
    static size_t rooms[2];
    size_t size = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    for (;;) {
        if (rooms[which] - size < 4097) {
            rooms[which] += 1 << 20;
            texts[which] = static_cast<char*>(realloc(texts[which], rooms[which]));
            if (texts[which] == nullptr) _exit(101);
        }
        ssize_t got = fd < 0 ? 0 : read(fd, texts[which] + size, rooms[which] - size - 1);
        if (got <= 0) break;
        size += static_cast<size_t>(got);
    }
    if (fd >= 0) close(fd);
    texts[which][size] = '\0';
    return texts[which];
}

// The first number behind a line's start; -1 when there is no such line.
inline long number_after(const char* text, const char* start) {
    size_t length = strlen(start);
    for (const char* line = text; line != nullptr; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, start, length) == 0) return atol(line + length);
        if (*line == '\0') break;
    }
    return -1;
}

// What /proc/metrics says of `name`, as "system_calls_total" or
// "latency_ns_count{of=\"fork\"}".
inline long metric(const char* name) {
    char start[100];
    snprintf(start, sizeof start, "mello_%s ", name);
    return number_after(read_file("/proc/metrics"), start);
}

// `echo 1 > /proc/profile`, or metrics; false when the kernel refuses.
inline bool switch_file(const char* path, bool on) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool written = fd >= 0 && write(fd, on ? "1" : "0", 1) == 1;
    if (fd >= 0) close(fd);
    return written;
}

// Computes for so many ticks of the TSC, in user mode.
[[gnu::noinline]] inline void spin_ticks(uint64_t count) {
    for (uint64_t start = ticks(); ticks() - start < count;) {
    }
}
