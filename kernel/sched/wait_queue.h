// Wait queues: where threads sleep until something is true. The functions are lab 4's
// wait_queue.cc; wait_until is how everybody uses them.
#pragma once
#include <cstdint>

#include "kernel/base/list.h"
#include "kernel/base/result.h"
#include "kernel/sched/scheduler.h"
#include "kernel/sched/thread.h"
#include "kernel/sync/spinlock.h"

class WaitQueue;

// One thread's place in one queue; lives on the sleeping thread's stack. A thread that polls
// several things has several.
struct WaitEntry {
    Thread* thread = nullptr;
    WaitQueue* queue = nullptr;
    ListLink link;
    bool exclusive = false;  // wake_one stops after it
};

class WaitQueue {
  public:
    WaitQueue() : lock(LockRank::WaitQueue) {}
    // Is anybody waiting? A hint without the lock: pair it with a full fence after the
    // change of state that waiters look for (wake_* do that themselves).
    bool empty() { return entries.empty(); }

    SpinLock lock;
    List<WaitEntry, &WaitEntry::link> entries GUARDED_BY(lock);
};

enum class WaitMode : uint8_t { Interruptible, Uninterruptible };
inline constexpr uint64_t kNoDeadline = ~0ull;

// ---- Lab 4, wait_queue.cc ----

// Puts the entry into the queue (once) and sets the current thread's state to sleeping, in
// this order, so that a wake-up from now on is seen by schedule().
void wait_prepare(WaitQueue& queue, WaitEntry& entry, WaitMode mode);
// Back to Running and out of the queue; also after a sleep that an interrupt ended.
void wait_finish(WaitQueue& queue, WaitEntry& entry);
// Wakes the first exclusive waiter and all others before it / everybody. Any context; not
// under a run-queue lock. Returns the number of threads woken.
uint32_t wake_one(WaitQueue& queue);
uint32_t wake_all(WaitQueue& queue);

// ---- kernel/sched/timer.cc ----

// Sleeps (schedule()) until woken or until monotonic_ns() >= deadline. Returns false when the
// deadline passed. The caller has set its state with wait_prepare.
bool schedule_until(uint64_t deadline_ns);
// May this thread's interruptible sleep end now because of a signal or exit? Set by the
// signal layer through set_interrupt_check (default: attention has Signal or Exit).
bool sleep_interrupted();
void set_interrupt_check(bool (*check)());

// Sleeps until predicate() is true. EINTR's internal form kERESTARTSYS when interrupted,
// ETIMEDOUT at the deadline. The predicate runs without locks, in thread context.
template <typename Predicate>
Result<void> wait_until(WaitQueue& queue, Predicate predicate,
                        WaitMode mode = WaitMode::Interruptible,
                        uint64_t deadline_ns = kNoDeadline) {
    if (predicate()) return {};
    WaitEntry entry;
    Result<void> result;
    for (;;) {
        wait_prepare(queue, entry, mode);
        if (predicate()) break;
        if (mode == WaitMode::Interruptible && sleep_interrupted()) {
            result = Error(kERESTARTSYS);
            break;
        }
        if (!schedule_until(deadline_ns)) {
            if (!predicate()) result = Error(ETIMEDOUT);
            break;
        }
    }
    wait_finish(queue, entry);
    return result;
}
