// Lab 2's test programs: pages, and the counters of /proc/metrics.
#pragma once
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "user/tests/lib/check.h"

inline constexpr size_t kPage = 4096;
inline constexpr int kReadWrite = PROT_READ | PROT_WRITE;

// Fresh memory; ends the program when there is none.
inline char* map_pages(size_t pages, int protection = kReadWrite,
                       int flags = MAP_PRIVATE | MAP_ANONYMOUS) {
    void* memory = mmap(nullptr, pages * kPage, protection, flags, -1, 0);
    if (memory == MAP_FAILED) {
        check_failed("mmap", Where::current(), "no %zu pages: %s", pages, error_name(errno));
        _exit(1);
    }
    return static_cast<char*>(memory);
}

// The compiler must not know what is behind `address`.
inline volatile char& byte_at(const void* address) {
    return *const_cast<volatile char*>(static_cast<const volatile char*>(address));
}

inline int peek(const void* address) { return byte_at(address); }

// "mello_NAME 123" in /proc/metrics; -1 when it is not there.
inline long metric(const char* name) {
    static char text[8192];
    int fd = open("/proc/metrics", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    size_t size = 0;
    for (ssize_t got; (got = read(fd, text + size, sizeof text - 1 - size)) > 0;) size += got;
    close(fd);
    text[size] = '\0';
    char line[80] = "\nmello_";
    strncat(line, name, 60);
    strcat(line, " ");
    const char* found = strstr(text, line);
    return found == nullptr ? -1 : strtol(found + strlen(line), nullptr, 10);
}
inline long free_frames() { return metric("frames_free"); }

// Free frames once no more come back: what exits gives its memory back some moments later.
// Waits up to ten seconds for `at_least`.
inline long frames_settled(long at_least) {
    constexpr int kQuiet = 10;
    long now = free_frames();
    for (int i = 0, same = 0; i < 1000 && (now < at_least || same < kQuiet); i++) {
        timespec pause = {0, 10000000};
        nanosleep(&pause, nullptr);
        long next = free_frames();
        same = next == now ? same + 1 : 0;
        now = next;
    }
    return now;
}

// One word for another process to wait for: shared memory that both spin on.
struct Gate {
    volatile uint32_t* word =
        reinterpret_cast<volatile uint32_t*>(map_pages(1, kReadWrite, MAP_SHARED | MAP_ANONYMOUS));
    void open(uint32_t value = 1) { __atomic_store_n(word, value, __ATOMIC_SEQ_CST); }
    uint32_t now() const { return __atomic_load_n(word, __ATOMIC_SEQ_CST); }
    void arrive() { __atomic_fetch_add(word, 1, __ATOMIC_SEQ_CST); }
    void wait(uint32_t value = 1) const {
        while (now() < value) asm volatile("pause");
    }
};
