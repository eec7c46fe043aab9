#include "kernel/sync/spinlock.h"

#include "kernel/metrics/counters.h"

// Test and test-and-set: while the lock is taken, waiters read their own cached copy of it
// and leave the bus to the holder. PAUSE lets a hyperthread, or an emulator that runs all
// CPUs on one host thread, give the time to the one who can end the wait.
void SpinLock::lock_contended() {
    uint64_t start = x86::rdtsc();
    do {
        while (locked_.load(std::memory_order_relaxed)) x86::pause();
    } while (locked_.exchange(true, std::memory_order_acquire));
    count_event(Event::LockWaits);
    count_event(Event::LockWaitTicks, x86::rdtsc() - start);
    if (rank_ == LockRank::RunQueue) count_event(Event::RunQueueLockWaits);
    if (rank_ == LockRank::FrameZone) count_event(Event::FrameLockWaits);
}
