// RCU (read, copy, update): readers of a structure that rarely changes take no lock and write
// nothing that another CPU reads; who takes an object out of it frees the object only when
// every reader that may have found it is done.
//
// This kernel takes the CPU from a thread only where the thread sleeps, yields or goes back to
// user mode. A reader does none of these, so a CPU that has switched threads has left every
// read section that was under way on it before: that is all that a grace period waits for.
// Sources: P. McKenney, "What is RCU, Fundamentally?" (LWN, 2007).
#pragma once

#include "kernel/arch/cpu.h"
#include "kernel/base/types.h"

// A read section: no sleep, no yield in it, so no Mutex and no user memory; spin locks are
// fine. What it finds is valid to its end. Costs nothing; debug builds check that nobody
// sleeps. Thread context.
class RcuReader {
  public:
    RcuReader() {
        if constexpr (kDebugBuild) ++this_cpu().rcu_readers;
        std::atomic_signal_fence(std::memory_order_seq_cst);
    }
    ~RcuReader() {
        std::atomic_signal_fence(std::memory_order_seq_cst);
        if constexpr (kDebugBuild) --this_cpu().rcu_readers;
    }
    RcuReader(const RcuReader&) = delete;
};

// The base of objects that readers find without a lock.
struct RcuObject {
    RcuObject* next_retired = nullptr;
    void (*free)(RcuObject*) = nullptr;
};

// `object`, which no new reader can find, will have `free` called on it after a grace period,
// in a thread that may sleep. Any context.
void rcu_retire(RcuObject* object, void (*free)(RcuObject*));
// Who makes objects faster than grace periods let them be freed waits here until only a few
// are left. Thread context; nothing held that freeing takes.
void rcu_throttle();

// Starts the thread that waits for grace periods. Once, at boot.
Result<void> rcu_start();
