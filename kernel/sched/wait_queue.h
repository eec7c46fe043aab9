// Wait queues: where threads sleep until something is true. The functions are lab 4's
// wait_queue.cc; wait_until is how everybody uses them.
#pragma once

#include "kernel/sched/scheduler.h"

class WaitQueue;

// One thread's place in one queue; lives on the sleeping thread's stack. A thread that polls
// several things has several.
struct WaitEntry {
    Thread* thread = nullptr;
    ListLink link;
    bool exclusive = false;  // wake_one stops after it
    // In the queue's list. A waker that takes the entry out clears it last of all, with
    // release order, and touches neither entry nor thread afterwards; so the owner may read
    // it without the lock, and once it is false leave the frame that the entry lives in.
    std::atomic<bool> queued{false};
};

class WaitQueue {
  public:
    WaitQueue() : lock(LockRank::WaitQueue) {}
    // Is nobody waiting? A hint without the lock: pair it with a full fence after the
    // change of state that waiters look for (wake_* do that themselves).
    bool empty() const { return count_.load(std::memory_order_relaxed) == 0; }
    // For whoever changes `entries`, so that empty() is right.
    void count_entries(int32_t change) REQUIRES(lock) {
        count_.store(count_.load(std::memory_order_relaxed) + change,
                     std::memory_order_relaxed);
    }

    SpinLock lock;
    List<WaitEntry, &WaitEntry::link> entries GUARDED_BY(lock);

  private:
    std::atomic<uint32_t> count_{0};
};

enum class WaitMode : uint8_t { Interruptible, Uninterruptible };
inline constexpr uint64_t kNoDeadline = ~0ull;

// ---- Lab 4, wait_queue.cc ----

// Puts the entry into the queue, unless it is there from an earlier call, and sets the
// current thread's state to about to sleep; then a full fence. A wake-up from now on makes
// schedule() return; a change before is seen by a look after this call.
void wait_prepare(WaitQueue& queue, WaitEntry& entry, WaitMode mode);
// Back to Running and out of the queue, whatever ended the wait. A thread that had an
// exclusive entry and gives up (signal, deadline) wakes another with wake_one afterwards, in
// case the wake-up that it did not use was meant for that one.
void wait_finish(WaitQueue& queue, WaitEntry& entry);
// Wakes the first exclusive waiter that still sleeps and all others before it / everybody.
// Entries of threads that were woken leave the queue. Begins with a full fence. Any context,
// not under a run-queue lock. Returns the number of threads woken.
uint32_t wake_one(WaitQueue& queue);
uint32_t wake_all(WaitQueue& queue);

// ---- kernel/sched/timer.cc ----

// Sleeps (schedule()) until woken or until monotonic_ns() >= deadline. Returns false when the
// deadline passed. The caller has set its state with wait_prepare; it is Running afterwards.
bool schedule_until(uint64_t deadline_ns);
// When a system call that may sleep for `ns` has to end; if it is one that a signal without a
// handler had interrupted, when that had to (Linux's restart_syscall(2)).
uint64_t deadline_after(uint64_t ns);
// kERESTARTNOHAND, for a call that was interrupted: restarted, it has this deadline
// (kNoDeadline: none).
Error restart_until(uint64_t deadline_ns);
// Must the calling thread's interruptible sleep end now because of a signal or exit? The task
// layer's (kernel/task/signals.cc), which knows what may interrupt.
bool sleep_interrupted();

// Sleeps until predicate() is true. EINTR's internal form kERESTARTSYS when interrupted,
// ETIMEDOUT at the deadline. The predicate runs without locks, in thread context.
template <typename Predicate>
Result<void> wait_until(WaitQueue& queue, Predicate predicate,
                        WaitMode mode = WaitMode::Interruptible,
                        uint64_t deadline_ns = kNoDeadline) {
    if (predicate()) return {};
    WaitEntry entry;
    auto sleep = [&]() -> Result<void> {
        for (;;) {
            wait_prepare(queue, entry, mode);
            if (predicate()) return {};
            if (mode == WaitMode::Interruptible && sleep_interrupted())
                return Error(kERESTARTSYS);
            bool in_time = schedule_until(deadline_ns);
            if (predicate()) return {};
            if (!in_time) return Error(ETIMEDOUT);
        }
    };
    Result<void> result = sleep();
    wait_finish(queue, entry);
    return result;
}

// Something that happens again and again, and threads that wait for the next time: who has
// read the count before looking at the state misses nothing.
struct EventCount {
    uint32_t now() const { return count.load(std::memory_order_acquire); }
    void happened() {
        count.fetch_add(1, std::memory_order_release);
        wake_all(queue);
    }
    // Until it has happened since it was `seen`; kERESTARTSYS, ETIMEDOUT.
    Result<void> wait(uint32_t seen, uint64_t deadline_ns = kNoDeadline) {
        return wait_until(queue, [&] { return now() != seen; }, WaitMode::Interruptible,
                          deadline_ns);
    }
    std::atomic<uint32_t> count{0};
    WaitQueue queue;
};
