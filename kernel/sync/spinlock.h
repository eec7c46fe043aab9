// SpinLock: mutual exclusion between CPUs and with interrupt handlers. Interrupts are off
// while one is held, so a holder is never interrupted or switched away: sections are short,
// never sleep, never touch user memory and never wait for another CPU.
//
// That last rule is what makes spinning with interrupts off safe: a CPU that spins answers
// no TLB shootdown, so nobody may wait for a shootdown while he holds what it spins for.
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
        note_acquired();
    }
    // Out of order is fine: who does not wait cannot deadlock.
    bool try_lock() TRY_ACQUIRE(true) {
        if (locked_.exchange(true, std::memory_order_acquire)) return false;
        note_acquired();
        return true;
    }
    void unlock() RELEASE() {
        note_released();
        locked_.store(false, std::memory_order_release);
    }
    LockRank rank() const { return rank_; }

  private:
    // Spins with PAUSE, reading before it writes; counts the wait (metrics events LockWaits
    // and, in TSC ticks, LockWaitTicks). kernel/sync/spinlock.cc.
    [[gnu::cold, gnu::noinline]] void lock_contended();
#if MELLO_DEBUG  // kernel/sync/lock_rank.cc
    void check_acquire() const;
    void note_acquired() const;
    void note_released() const;
#else
    void check_acquire() const {}
    void note_acquired() const {}
    void note_released() const {}
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

// The same where interrupts are off already: the scheduler, interrupt handlers.
class SCOPED_CAPABILITY SpinHold {
  public:
    explicit SpinHold(SpinLock& lock) ACQUIRE(lock) : lock_(lock) { lock_.lock(); }
    ~SpinHold() RELEASE() { lock_.unlock(); }
    SpinHold(const SpinHold&) = delete;
    SpinHold& operator=(const SpinHold&) = delete;

  private:
    SpinLock& lock_;
};
