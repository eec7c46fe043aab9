// One-shot timers, kept per CPU, run from the timer interrupt (interrupts off).
#pragma once
#include <cstdint>

#include "kernel/base/list.h"

struct Timer {
    uint64_t deadline_ns = 0;  // monotonic_ns
    void (*callback)(Timer&) = nullptr;
    ListLink link;
    uint32_t cpu = 0;
};

// Arms `timer` on the calling CPU for deadline_ns; it must not be armed.
void timer_start(Timer& timer);
// Disarms; after it returns the callback neither runs nor will run. False when the timer had
// fired already. Not from the timer's own callback.
bool timer_cancel(Timer& timer);
