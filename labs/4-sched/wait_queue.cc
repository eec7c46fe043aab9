// Lab 4: wait queues. Contracts: kernel/sched/wait_queue.h.
//
// This version wakes everybody every time, also where one would do, takes the lock where
// nobody waits, and leaves it to each thread to take itself out. It is right; a server with
// a hundred waiting threads would not like it.
#include "kernel/sched/wait_queue.h"

void wait_prepare(WaitQueue& queue, WaitEntry& entry, WaitMode mode) {
    Thread& thread = *current_thread();
    SpinGuard guard(queue.lock);
    entry.thread = &thread;
    if (!entry.queued.load()) {
        queue.entries.push_back(&entry);
        queue.count_entries(+1);
    }
    entry.queued.store(true);
    thread.state.store(mode == WaitMode::Interruptible ? ThreadState::Interruptible
                                                       : ThreadState::Uninterruptible);
}

void wait_finish(WaitQueue& queue, WaitEntry& entry) {
    SpinGuard guard(queue.lock);
    current_thread()->state.store(ThreadState::Running);
    if (entry.queued.load()) {
        queue.entries.remove(&entry);
        queue.count_entries(-1);
    }
    entry.queued.store(false);
}

uint32_t wake_one(WaitQueue& queue) { return wake_all(queue); }

uint32_t wake_all(WaitQueue& queue) {
    SpinGuard guard(queue.lock);
    uint32_t woken = 0;
    for (WaitEntry& entry : queue.entries) woken += thread_wake(*entry.thread) ? 1 : 0;
    return woken;
}
