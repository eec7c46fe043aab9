// Lab 4: wait queues. Contracts: kernel/sched/wait_queue.h.
//
// The wake-up that must not get lost is the one that comes between the sleeper's look at
// the condition and its sleep. Two sides, each writes one thing and then reads the other's:
//
//      sleeper                         waker
//      state = about to sleep          condition = true
//      full fence                      full fence
//      reads the condition             reads the queue, then the state
//
// With both fences at least one of them sees the other's write: the sleeper does not go to
// sleep, or the waker wakes it. On x86 the fence is not optional, for a store may still sit
// in the store buffer while the load after it is done (Intel SDM vol. 3, 8.2.3.4).
//
// A waker takes woken entries out itself, so that the common wait_finish needs no lock.
#include "kernel/sched/wait_queue.h"

namespace {

void take_out(WaitQueue& queue, WaitEntry& entry) REQUIRES(queue.lock) {
    queue.entries.remove(&entry);
    queue.count_entries(-1);
    // Last: the entry's thread may leave the frame that it lives in as soon as it sees this.
    entry.queued.store(false, std::memory_order_release);
}

// The entry may be gone after this. Returns whether its thread was woken.
bool wake_entry(WaitQueue& queue, WaitEntry& entry) REQUIRES(queue.lock) {
    if (!thread_wake(*entry.thread)) return false;
    take_out(queue, entry);
    return true;
}

uint32_t wake(WaitQueue& queue, bool all) {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (queue.empty()) return 0;
    SpinGuard guard(queue.lock);
    uint32_t woken = 0;
    WaitEntry* next;
    for (WaitEntry* entry = queue.entries.front(); entry != nullptr; entry = next) {
        next = queue.entries.next(entry);
        bool exclusive = entry->exclusive;
        if (!wake_entry(queue, *entry)) continue;
        ++woken;
        if (exclusive && !all) break;
    }
    return woken;
}

}  // namespace

void wait_prepare(WaitQueue& queue, WaitEntry& entry, WaitMode mode) {
    Thread& thread = *current_thread();
    ThreadState state = mode == WaitMode::Interruptible ? ThreadState::Interruptible
                                                        : ThreadState::Uninterruptible;
    // With the lock also when the entry is still in the queue: a waker that has just woken us
    // is about to take it out, and we would sleep in no queue.
    SpinGuard guard(queue.lock);
    if (!entry.queued.load(std::memory_order_relaxed)) {
        entry.thread = &thread;
        queue.entries.push_back(&entry);
        queue.count_entries(+1);
        entry.queued.store(true, std::memory_order_relaxed);
    }
    // Under the lock: who finds the entry finds this too. An exchange is a full fence.
    thread.state.exchange(state, std::memory_order_seq_cst);
}

void wait_finish(WaitQueue& queue, WaitEntry& entry) {
    // No commit has been made, so no waker holds a claim on the thread.
    current_thread()->state.store(ThreadState::Running, std::memory_order_relaxed);
    if (!entry.queued.load(std::memory_order_acquire)) return;
    SpinGuard guard(queue.lock);
    if (entry.queued.load(std::memory_order_relaxed)) take_out(queue, entry);
}

uint32_t wake_one(WaitQueue& queue) { return wake(queue, false); }
uint32_t wake_all(WaitQueue& queue) { return wake(queue, true); }
