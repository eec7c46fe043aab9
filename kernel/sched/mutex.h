// Mutex: a lock that sleeps. For sections that may touch user memory, allocate much, or wait
// for other CPUs. Thread context only. Ranks as for spin locks (kernel/sync/lock_rank.h).
#pragma once
#include <atomic>

#include "kernel/sched/wait_queue.h"
#include "kernel/sync/thread_safety.h"

class CAPABILITY("mutex") Mutex {
  public:
    explicit Mutex(LockRank rank) : rank_(rank) {}
    Mutex(const Mutex&) = delete;
    Mutex& operator=(const Mutex&) = delete;

    void lock() ACQUIRE() {
        Thread* none = nullptr;
        if (!owner_.compare_exchange_strong(none, current_thread(),
                                            std::memory_order_acquire)) [[unlikely]]
            lock_contended();
    }
    bool try_lock() TRY_ACQUIRE(true) {
        Thread* none = nullptr;
        return owner_.compare_exchange_strong(none, current_thread(),
                                              std::memory_order_acquire);
    }
    void unlock() RELEASE() {
        owner_.store(nullptr, std::memory_order_release);
        if (waiters_.load(std::memory_order_seq_cst) != 0) [[unlikely]] wake_waiter();
    }
    bool held() const { return owner_.load(std::memory_order_relaxed) == current_thread(); }

  private:
    [[gnu::noinline]] void lock_contended();  // kernel/sched/mutex.cc
    [[gnu::noinline]] void wake_waiter();

    std::atomic<Thread*> owner_{nullptr};
    std::atomic<uint32_t> waiters_{0};
    LockRank rank_;
    WaitQueue queue_;
};

class SCOPED_CAPABILITY MutexGuard {
  public:
    explicit MutexGuard(Mutex& mutex) ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
    ~MutexGuard() RELEASE() { mutex_.unlock(); }
    MutexGuard(const MutexGuard&) = delete;
    MutexGuard& operator=(const MutexGuard&) = delete;

  private:
    Mutex& mutex_;
};
