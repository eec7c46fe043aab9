// Time as the scheduler sees it: accounting, the timer interrupt, idle CPUs. Between
// scheduler.cc and tick.cc; interrupts are off in all of them.
#pragma once
#include <cstdint>

#include "kernel/sched/thread.h"

// Charges the time since the last accounting to `running` and to `cpu`, the calling one.
// Returns whether another thread should run now.
bool account(Cpu& cpu, Thread& running, uint64_t now);
// `cpu` has work again: the tick must run.
void tick_leave_idle(Cpu& cpu, uint64_t now);

// ---- kernel/sched/scheduler.cc, for the idle thread ----

// Switches to another thread if there is one to run; the idle thread's way of schedule().
void leave_idle_if_work();
