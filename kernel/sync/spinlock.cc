// Waiting for a spin lock, and the lock-rank checker of debug builds.
//
// A deadlock needs two CPUs that take two locks in opposite orders at the same moment, which
// may happen once a week. The checker needs no luck: it objects to any acquisition against
// the order of LockRank, on one CPU, the first time that code runs. Each CPU keeps the spin
// locks that it holds (Cpu::held); Mutexes, which stay with a thread when it moves, are
// kept in the Thread (kernel/sched/mutex.cc).
#include "kernel/sync/spinlock.h"

#include <iterator>

#include "kernel/base/log.h"
#include "kernel/metrics/counters.h"
#include "kernel/metrics/latency.h"

const char* lock_rank_name(LockRank rank) {
    constexpr const char* kNames[] = {
#define LOCK_RANK(name) #name,
#include "kernel/sync/lock_ranks.def"
#undef LOCK_RANK
    };
    return kNames[static_cast<uint32_t>(rank)];
}

// Test and test-and-set: while the lock is taken, waiters read their own cached copy of it
// and leave the bus to the holder. PAUSE lets a hyperthread, or an emulator that runs all
// CPUs on one host thread, give the time to the one who can end the wait.
void SpinLock::lock_contended() {
    uint64_t start = x86::rdtsc();
    LatencyTimer timer(Latency::LockWait, static_cast<uint64_t>(rank_));
    do {
        while (locked_.load(std::memory_order_relaxed)) x86::pause();
    } while (locked_.exchange(true, std::memory_order_acquire));
    count_event(Event::LockWaits);
    count_event(Event::LockWaitTicks, x86::rdtsc() - start);
    if (rank_ == LockRank::RunQueue) count_event(Event::RunQueueLockWaits);
    if (rank_ == LockRank::FrameZone) count_event(Event::FrameLockWaits);
}

void SpinLock::check_acquire() const {
    if (x86::interrupts_enabled())
        panic("spin lock %s taken with interrupts on", lock_rank_name(rank_));
    const Cpu& cpu = this_cpu();
    for (uint32_t i = 0; i < cpu.held_locks; ++i) {
        const SpinLock* held = cpu.held[i];
        if (held == this) panic("spin lock %s taken twice", lock_rank_name(rank_));
        if (held->rank_ > rank_ || (held->rank_ == rank_ && held > this))
            panic("spin lock %s taken while %s is held", lock_rank_name(rank_),
                  lock_rank_name(held->rank_));
    }
}

void SpinLock::note_acquired() const {
    Cpu& cpu = this_cpu();
    if (cpu.held_locks == std::size(cpu.held)) panic("too many spin locks held");
    cpu.held[cpu.held_locks++] = this;
}

void SpinLock::note_released() const {
    Cpu& cpu = this_cpu();
    for (uint32_t i = cpu.held_locks; i-- > 0;) {
        if (cpu.held[i] != this) continue;
        cpu.held[i] = cpu.held[--cpu.held_locks];
        return;
    }
    panic("spin lock %s released by a CPU that does not hold it", lock_rank_name(rank_));
}

void panic_if_atomic(const char* what) {
    // Without interrupts off, this thread could move between the two reads.
    InterruptsOff off;
    const Cpu& cpu = this_cpu();
    if (cpu.held_locks != 0)
        panic("%s while spin lock %s is held", what, lock_rank_name(cpu.held[0]->rank()));
    if (cpu.rcu_readers != 0) panic("%s in a read section of RCU", what);
    if (cpu.interrupt_depth != 0) panic("%s in an interrupt handler", what);
}
