// SpinLock, and the order in which locks are taken.
//
// A SpinLock is mutual exclusion between CPUs and with interrupt handlers. Interrupts are off
// while one is held, so a holder is never interrupted or switched away: sections are short,
// never sleep, never touch user memory and never wait for another CPU. That last rule is what
// makes spinning with interrupts off safe: a CPU that spins answers no TLB shootdown, so nobody
// may wait for a shootdown while he holds what it spins for.
#pragma once
#include <atomic>

#include "kernel/arch/x86.h"
#include "kernel/base/types.h"

// Clang's thread-safety annotations (clang.llvm.org/docs/ThreadSafetyAnalysis.html), checked
// by `make thread-safety` in a syntax-only pass; GCC sees nothing.
#if defined(__clang__)
#define THREAD_ANNOTATION(x) __attribute__((x))
#else
#define THREAD_ANNOTATION(x)
#endif
#define CAPABILITY(name) THREAD_ANNOTATION(capability(name))
#define SCOPED_CAPABILITY THREAD_ANNOTATION(scoped_lockable)
#define GUARDED_BY(lock) THREAD_ANNOTATION(guarded_by(lock))
#define REQUIRES(...) THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define ACQUIRE(...) THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define RELEASE(...) THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define TRY_ACQUIRE(...) THREAD_ANNOTATION(try_acquire_capability(__VA_ARGS__))
#define NO_THREAD_SAFETY_ANALYSIS THREAD_ANNOTATION(no_thread_safety_analysis)

// ---- The order of locks: lock_ranks.def lists them ----
// A CPU that holds a spin lock of rank r may only take spin locks of a rank greater than r;
// of equal rank only at a higher address, which for run queues means in CPU order, since
// all Cpu structs lie in one array. A thread that holds a Mutex may take Mutexes of greater
// rank and any spin lock; no Mutex is taken, and schedule() not called, while a spin lock is
// held. Debug builds check this at every acquisition and panic with both ranks
// (kernel/sync/spinlock.cc); release builds compile the check away.

enum class LockRank : uint32_t {
#define LOCK_RANK(name) name,
#include "kernel/sync/lock_ranks.def"
#undef LOCK_RANK
    Count
};
const char* lock_rank_name(LockRank rank);

// May the caller sleep here? Panics, naming `what`, when it holds a spin lock or runs in an
// interrupt handler. Debug builds only.
void panic_if_atomic(const char* what);
inline void check_may_sleep(const char* what) {
    if constexpr (kDebugBuild) panic_if_atomic(what);
}

// ---- Spin locks ----

class CAPABILITY("spinlock") SpinLock {
  public:
    explicit constexpr SpinLock(LockRank rank) : rank_(rank) {}

    // Interrupts must be off already; SpinGuard sees to it.
    void lock() ACQUIRE() {
        if constexpr (kDebugBuild) check_acquire();
        if (locked_.exchange(true, std::memory_order_acquire)) [[unlikely]] lock_contended();
        if constexpr (kDebugBuild) note_acquired();
    }
    void unlock() RELEASE() {
        if constexpr (kDebugBuild) note_released();
        locked_.store(false, std::memory_order_release);
    }
    LockRank rank() const { return rank_; }

  private:
    // Spins with PAUSE, reading before it writes; counts the wait (metrics events LockWaits
    // and, in TSC ticks, LockWaitTicks). kernel/sync/spinlock.cc.
    [[gnu::cold, gnu::noinline]] void lock_contended();
    void check_acquire() const;
    void note_acquired() const;
    void note_released() const;

    std::atomic<bool> locked_{false};
    LockRank rank_;
};

// Holds a lock for a scope.
template <typename Lock>
class SCOPED_CAPABILITY LockGuard {
  public:
    explicit LockGuard(Lock& lock) ACQUIRE(lock) : lock_(lock) { lock_.lock(); }
    ~LockGuard() RELEASE() { lock_.unlock(); }
    LockGuard(const LockGuard&) = delete;

  private:
    Lock& lock_;
};

// For a SpinLock where interrupts are off already: the scheduler, interrupt handlers.
using SpinHold = LockGuard<SpinLock>;

// For a SpinLock elsewhere: with interrupts off, from before to after.
class SCOPED_CAPABILITY SpinGuard {
  public:
    explicit SpinGuard(SpinLock& lock) ACQUIRE(lock) : lock_(lock) { lock_.lock(); }
    ~SpinGuard() RELEASE() { lock_.unlock(); }
    SpinGuard(const SpinGuard&) = delete;

  private:
    InterruptsOff off_;  // constructed first, destroyed last
    SpinLock& lock_;
};
