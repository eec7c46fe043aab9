// How long things take: a histogram for each kind and CPU, shown in /proc/metrics. Off until
// somebody writes 1 there, so that nobody pays for what nobody looks at: a test of one
// variable is what is left in the code that could be timed.
//
// Waits for locks have a histogram for each rank; what /proc/metrics says of all waits is the
// sum of these. Memory is taken when measuring is switched on, never while it is at work, and
// kept for the next time.
#pragma once
#include <cstdint>

#include "kernel/arch/cpu.h"
#include "kernel/arch/x86.h"
#include "kernel/metrics/histogram.h"

inline constexpr uint32_t kLatencyLocks = 24;  // ranks, at most

// The first one, of the shortest sections, has the cheapest address.
enum class Latency : uint32_t {
    SystemCall,  // each, from dispatch to its result, with the time it slept
    LockWait,    // for a contended lock, spinning or asleep: + its rank
    PageFault = LockWait + kLatencyLocks,
    Fork,
    Exec,
    TerminalRead,
    TerminalWrite,
    SignalDelivery,
    ContextSwitch,  // from the choice of the next thread to its first step
    Count,
};
static_assert(static_cast<uint32_t>(Latency::Count) <= kLatencyKinds);

// The TSC when the measurement that is under way began; kLatencyOff: none is. Set by
// kernel/prof/proc_files.cc once every CPU has its histograms (Cpu::latencies).
inline constexpr uint64_t kLatencyOff = ~0ull;
extern uint64_t latency_since;

inline uint64_t latency_start() { return latency_since != kLatencyOff ? x86::rdtsc() : 0; }
inline void latency_add(uint64_t kind, uint64_t start) {
    histogram_add(*this_cpu().latencies[kind], x86::rdtsc() - start);
}

// Times the scope that it lives in, unless that began before the measurement. The TSCs of all
// CPUs go alike, so a thread may have moved meanwhile.
class LatencyTimer {
  public:
    explicit LatencyTimer(Latency kind, uint64_t which = 0)
        : kind_(static_cast<uint32_t>(kind) + which), on_(latency_since != kLatencyOff),
          start_(on_ ? x86::rdtsc() : 0) {}
    ~LatencyTimer() {
        if (on_ && start_ >= latency_since) [[unlikely]]
            latency_add(kind_, start_);
    }

  private:
    const uint64_t kind_;
    const bool on_;
    const uint64_t start_;
};
