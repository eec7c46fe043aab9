// The sampling profiler: at every tick, where was the CPU? Lab 7's sampler.cc keeps the
// samples; /proc/profile shows them as folded stacks, one a line with its count, which is
// what flame graph tools read.
#pragma once

#include "kernel/arch/traps.h"
#include "kernel/base/format.h"

struct SamplerTotals {
    uint64_t taken;    // ticks seen while on
    uint64_t dropped;  // of these, not kept for lack of room
};

// ---- Lab 7, sampler.cc ----

// The tick hook (scheduler_set_tick_hook): records a sample when sampling is on.
// Interrupt context: no locks, no allocation, no output.
void sampler_tick(TrapFrame& frame);
// Switches sampling on, after forgetting earlier samples, or off. ENOMEM.
Result<void> sampler_set(bool on);
SamplerTotals sampler_totals();
// The samples as folded stacks, outermost function first: "main;f;g 12\n".
void sampler_format(TextSink& out);
