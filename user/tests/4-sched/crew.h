// Threads of a test, each kept on a CPU, started together; and a watch over those that wait
// for each other: when a wake-up got lost nothing moves any more, and the test shall say so.
#pragma once
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>

#include "user/tests/lib/check.h"
#include "user/tests/lib/figure.h"

inline void relax() { asm volatile("pause" ::: "memory"); }

inline unsigned current_cpu() {
    unsigned cpu = ~0u;
    syscall(SYS_getcpu, &cpu, nullptr, nullptr);
    return cpu;
}

// CPUs of `mask` for thread `tid` (0: the caller).
inline bool allow_cpus(uint64_t mask, int tid = 0) {
    return syscall(SYS_sched_setaffinity, tid, sizeof mask, &mask) == 0;
}

inline void sleep_us(uint64_t us) {
    timespec time = {static_cast<time_t>(us / 1000000), static_cast<long>(us % 1000000) * 1000};
    while (nanosleep(&time, &time) != 0 && errno == EINTR) {}
}

inline uint64_t now_us() {
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<uint64_t>(time.tv_sec) * 1000000 + static_cast<uint64_t>(time.tv_nsec) / 1000;
}

// Starts `count` threads that run body(Argument*).
template <typename Argument>
class Crew {
  public:
    static constexpr unsigned kMost = 32;
    Crew(void* (*body)(void*), Argument* arguments, unsigned count) : count_(count) {
        for (unsigned i = 0; i < count; i++) {
            int error = pthread_create(&threads_[i], nullptr, body, &arguments[i]);
            if (error == 0) continue;
            check_failed("threads", Where::current(), "thread %u of %u: %s", i, count,
                         error_name(error));
            exit(check_summary("crew"));
        }
    }
    void join() {
        for (unsigned i = 0; i < count_; i++) pthread_join(threads_[i], nullptr);
    }

  private:
    pthread_t threads_[kMost];
    unsigned count_;
};

// Waits until done() while progress() grows. False, after a message with `likely`, when it
// has stood still for ten seconds.
template <typename Done, typename Progress>
bool watch(const char* name, const char* likely, uint64_t of, Done done, Progress progress) {
    constexpr uint64_t kPatienceUs = 10'000'000;
    uint64_t last = progress(), since = now_us();
    while (!done()) {
        sleep_us(5000);
        uint64_t current = progress();
        if (current != last) {
            last = current;
            since = now_us();
        } else if (now_us() - since > kPatienceUs) {
            check_failed(name, Where::current(),
                         "expected %lu steps, it stands still after %lu: %s", of, current, likely);
            return false;
        }
    }
    return true;
}
