#include "kernel/sched/mutex.h"

#include <iterator>

#include "kernel/metrics/latency.h"

// A thread that had to wait takes the Mutex with kContended set, as it cannot know whether
// others still sleep. At worst its unlock looks into an empty queue.
void Mutex::lock_contended() {
    ASSERT(!held());
    LatencyTimer timer(Latency::LockWait, static_cast<uint64_t>(rank_));
    WaitEntry entry;
    entry.exclusive = true;
    for (;;) {
        wait_prepare(queue_, entry, WaitMode::Uninterruptible);
        uintptr_t word = word_.load(std::memory_order_relaxed);
        // Free: take it. Taken: see that the owner will wake us, which it does if it finds
        // the bit; we are in the queue already.
        uintptr_t wanted = word == 0 ? me() | kContended : word | kContended;
        if (word != wanted && !word_.compare_exchange_strong(word, wanted,
                                                             std::memory_order_acquire,
                                                             std::memory_order_relaxed))
            continue;
        if (word == 0) break;
        schedule();
    }
    wait_finish(queue_, entry);
}

void Mutex::unlock_contended() {
    ASSERT(held());
    word_.store(0, std::memory_order_release);
    wake_one(queue_);
}

// Two of one rank: parent before child, or address order; the callers' business.
static bool may_nest(LockRank rank) {
    return rank == LockRank::Directory || rank == LockRank::Inode;
}

void Mutex::check_acquire() const {
    check_may_sleep("a Mutex is taken");
    if (held()) panic("Mutex %s taken twice", lock_rank_name(rank_));
    const Thread& thread = *current_thread();
    for (uint32_t i = 0; i < thread.mutexes_held; ++i) {
        LockRank other = thread.mutex_ranks[i];
        if (other > rank_ || (other == rank_ && !may_nest(rank_)))
            panic("Mutex %s taken while %s is held", lock_rank_name(rank_),
                  lock_rank_name(other));
    }
}

void Mutex::note_acquired() const {
    Thread& thread = *current_thread();
    if (thread.mutexes_held == std::size(thread.mutex_ranks)) panic("too many Mutexes held");
    thread.mutex_ranks[thread.mutexes_held++] = rank_;
}

void Mutex::note_released() const {
    if (!held()) panic("Mutex %s released by a thread that does not hold it",
                       lock_rank_name(rank_));
    Thread& thread = *current_thread();
    for (uint32_t i = thread.mutexes_held; i-- > 0;) {
        if (thread.mutex_ranks[i] != rank_) continue;
        thread.mutex_ranks[i] = thread.mutex_ranks[--thread.mutexes_held];
        return;
    }
}
