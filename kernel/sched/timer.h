// One-shot timers, kept per CPU, run from the timer interrupt (interrupts off).
#pragma once
#include <cstdint>

#include "kernel/base/list.h"

// Embedded in what it belongs to; `cpu` and `link` are the timer code's.
struct Timer {
    uint64_t deadline_ns = 0;  // monotonic_ns
    void (*callback)(Timer&) = nullptr;
    ListLink link;
    uint32_t cpu = 0;
};

// Arms `timer` on the calling CPU for deadline_ns; it must not be armed.
void timer_start(Timer& timer);
// Disarms; after it returns the callback neither runs nor will run. False when the timer had
// fired already. Not from the timer's own callback, and with no spin lock held that the
// callback takes: it may have to wait for the callback's end. Afterwards it may be started
// again. The callback may start its own timer again.
bool timer_cancel(Timer& timer);

// ---- For the scheduler, interrupts off ----

// The next deadline on the calling CPU, or ~0.
uint64_t timer_next_deadline();
// Runs what is due on the calling CPU. In the timer interrupt.
void timer_run_due(uint64_t now);
// Sees to it that the calling CPU's timer interrupt comes at `deadline_ns` at the latest
// (kernel/sched/scheduler.cc).
void scheduler_want_interrupt(uint64_t deadline_ns);
