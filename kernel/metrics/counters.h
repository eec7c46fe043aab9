// Event counters, one set a CPU, without locks: each CPU adds to its own, readers sum.
// Sums are exact when the machine is quiet and never go backwards.
#pragma once

#include "kernel/arch/cpu.h"

// Nanoseconds since boot that one CPU spent so.
struct CpuUsage {
    uint64_t user_ns, system_ns, idle_ns;
};

enum class Event : uint32_t {
    ContextSwitches,
    PageFaults,
    Cr3Loads,
    TlbPageFlushes,     // INVLPG
    ShootdownIpis,      // interrupts sent for a shootdown
    RescheduleIpis,
    LockWaits,          // contended spin lock acquisitions
    LockWaitTicks,      // TSC ticks spent in them
    RunQueueLockWaits,  // of these, on run queues
    FrameLockWaits,     // of these, on the shared frame list
    Steals,
    TimerTicks,
    SystemCalls,
    Forks,
    Execs,
    CowCopies,
    Count,
};

struct alignas(kCacheLine) EventCounters {
    uint64_t counts[static_cast<uint32_t>(Event::Count)];
};
extern EventCounters event_counters[kMaxCpus];

// Callable from any context that cannot move to another CPU.
inline void count_event(Event event, uint64_t n = 1) {
    event_counters[this_cpu().id].counts[static_cast<uint32_t>(event)] += n;
}
uint64_t event_of(uint32_t cpu, Event event);
uint64_t event_total(Event event);  // of all CPUs
const char* event_name(Event event);  // snake_case, as in /proc/metrics
