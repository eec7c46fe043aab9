#include "kernel/metrics/counters.h"

#include <iterator>

#include "kernel/metrics/latency.h"

EventCounters event_counters[kMaxCpus];
uint64_t latency_since = kLatencyOff;

constexpr const char* kNames[] = {
    "context_switches",     "page_faults",      "cr3_loads",  "tlb_page_flushes",
    "shootdown_ipis",       "reschedule_ipis",  "lock_waits", "lock_wait_ticks",
    "run_queue_lock_waits", "frame_lock_waits", "steals",     "timer_ticks",
    "system_calls",         "forks",            "execs",      "cow_copies",
};
static_assert(std::size(kNames) == static_cast<uint32_t>(Event::Count));

// Other CPUs may be counting: a counter is read whole (64-bit loads are atomic), so the sum
// is of values that each was true at some moment during the call.
uint64_t event_of(uint32_t cpu, Event event) {
    return __atomic_load_n(&event_counters[cpu].counts[static_cast<uint32_t>(event)],
                           __ATOMIC_RELAXED);
}

uint64_t event_total(Event event) {
    uint64_t total = 0;
    for (uint32_t i = 0; i < cpu_count; ++i) total += event_of(i, event);
    return total;
}

const char* event_name(Event event) { return kNames[static_cast<uint32_t>(event)]; }
