// SpinLock: mutual exclusion between CPUs and with interrupt handlers. Interrupts are off
// while one is held, so a holder is never interrupted or switched away: sections are short,
// never sleep, never touch user memory and never wait for another CPU.
#pragma once
#include <atomic>
#include <cstdint>

#include "kernel/arch/x86.h"
#include "kernel/sync/lock_rank.h"
#include "kernel/sync/thread_safety.h"

class CAPABILITY("spinlock") SpinLock {
  public:
    explicit constexpr SpinLock(LockRank rank) : rank_(rank) {}
    SpinLock(const SpinLock&) = delete;
    SpinLock& operator=(const SpinLock&) = delete;

    // Interrupts must be off already; SpinGuard sees to it.
    void lock() ACQUIRE() {
        check_acquire();
        if (locked_.exchange(true, std::memory_order_acquire)) [[unlikely]] lock_contended();
    }
    bool try_lock() TRY_ACQUIRE(true) {
        if (locked_.exchange(true, std::memory_order_acquire)) return false;
        note_acquired();
        return true;
    }
    void unlock() RELEASE() {
        check_release();
        locked_.store(false, std::memory_order_release);
    }
    bool is_locked() const { return locked_.load(std::memory_order_relaxed); }
    LockRank rank() const { return rank_; }

  private:
    // Spins with PAUSE, reading before it writes; counts the wait (metrics event
    // kLockWaits and, in TSC ticks, kLockWaitTicks). kernel/sync/spinlock.cc.
    [[gnu::cold, gnu::noinline]] void lock_contended();
#if MELLO_DEBUG
    void check_acquire();
    void note_acquired();
    void check_release();
#else
    void check_acquire() {}
    void note_acquired() {}
    void check_release() {}
#endif

    std::atomic<bool> locked_{false};
    LockRank rank_;
};

// Holds a SpinLock for a scope, with interrupts off.
class SCOPED_CAPABILITY SpinGuard {
  public:
    explicit SpinGuard(SpinLock& lock) ACQUIRE(lock) : lock_(lock) { lock_.lock(); }
    ~SpinGuard() RELEASE() { lock_.unlock(); }
    SpinGuard(const SpinGuard&) = delete;
    SpinGuard& operator=(const SpinGuard&) = delete;

  private:
    InterruptsOff off_;  // constructed first, destroyed last
    SpinLock& lock_;
};
