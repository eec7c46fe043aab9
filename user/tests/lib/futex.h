// futex(2) by hand: musl brings neither a wrapper nor linux/futex.h.
#pragma once
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum FutexOperation : int {
    kFutexWait = 0,
    kFutexWake = 1,
    kFutexRequeue = 3,
    kFutexWaitBitset = 9,
    kFutexPrivate = 128,
};

// -1 with errno, as the C libraries do it. `timeout` may be null.
inline long futex_wait(void* word, uint32_t expected, const timespec* timeout, int flags = 0) {
    return syscall(SYS_futex, word, kFutexWait | flags, expected, timeout, nullptr, 0);
}
inline long futex_wake(void* word, int count, int flags = 0) {
    return syscall(SYS_futex, word, kFutexWake | flags, count, nullptr, nullptr, 0);
}
