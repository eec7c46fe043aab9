// The sampling profiler (contracts in kernel/prof/sampler.h).
//
// This is the starter: it samples nothing. Switching it on fails with ENOSYS and a line
// in the log.
//
// Your part (handouts/7-profiling.md): room for samples of each CPU, filled by the tick
// without locks; the walk along frame pointers (walk_stack, lab 1); folded stacks.
#include "kernel/prof/sampler.h"

#include "kernel/base/log.h"

void sampler_tick(TrapFrame&) {}

Result<void> sampler_set(bool on) {
    if (!on) return {};
    log_warning("lab 7: sampler_set is not implemented yet (labs/7-profiling/sampler.cc)");
    return Error(ENOSYS);
}

SamplerTotals sampler_totals() { return {0, 0}; }

void sampler_format(TextSink&) {}
