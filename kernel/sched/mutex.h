// Mutex: a lock that sleeps. For sections that may touch user memory, allocate much, or wait
// for other CPUs. Thread context only. Ranks as for spin locks (kernel/sync/spinlock.h).
//
// One word says all: the owner, and in bit 0 whether somebody may be asleep for it. Taking a
// free Mutex and giving back one that nobody wants is a single compare-and-swap, and there is
// no second word (a count of waiters) that the owner would have to look at behind a fence.
// Not fair: a thread that comes by may take the Mutex before the sleeper that was woken.
#pragma once

#include "kernel/sched/wait_queue.h"

class CAPABILITY("mutex") Mutex {
  public:
    explicit Mutex(LockRank rank) : rank_(rank) {}

    void lock() ACQUIRE() {
        if constexpr (kDebugBuild) check_acquire();
        if (!take()) [[unlikely]] lock_contended();
        if constexpr (kDebugBuild) note_acquired();
    }
    // Out of order is fine: who does not wait cannot deadlock.
    bool try_lock() TRY_ACQUIRE(true) {
        if (!take()) return false;
        if constexpr (kDebugBuild) note_acquired();
        return true;
    }
    void unlock() RELEASE() {
        if constexpr (kDebugBuild) note_released();
        uintptr_t mine = me();
        if (!word_.compare_exchange_strong(mine, 0, std::memory_order_release,
                                           std::memory_order_relaxed)) [[unlikely]]
            unlock_contended();
    }
    bool held() const {
        return (word_.load(std::memory_order_relaxed) & ~kContended) == me();
    }

  private:
    static constexpr uintptr_t kContended = 1;
    static uintptr_t me() { return reinterpret_cast<uintptr_t>(current_thread()); }
    bool take() {
        uintptr_t free = 0;
        return word_.compare_exchange_strong(free, me(), std::memory_order_acquire,
                                             std::memory_order_relaxed);
    }
    [[gnu::noinline]] void lock_contended();  // kernel/sched/mutex.cc
    [[gnu::noinline]] void unlock_contended();
    void check_acquire() const;
    void note_acquired() const;
    void note_released() const;

    std::atomic<uintptr_t> word_{0};
    LockRank rank_;
    WaitQueue queue_;
};

using MutexGuard = LockGuard<Mutex>;
