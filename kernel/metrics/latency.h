// How long things take: a histogram for each kind and CPU, shown in /proc/metrics. Off until
// somebody writes 1 there, so that nobody pays for what nobody looks at: a test of one
// variable is what is left in the code that could be timed.
//
// Waits for locks have a histogram for each rank. Memory is taken when measuring is switched on, never while it is at work, and
// kept for the next time.
#pragma once
#include <cstdint>

#include "kernel/arch/cpu.h"
#include "kernel/arch/x86.h"
#include "kernel/metrics/histogram.h"

// The first one, of the shortest sections, has the cheapest address.
enum class Latency : uint32_t {
    SystemCall,  // each, from dispatch to its result, with the time it slept
    PageFault,
    Fork,
    Exec,
    TerminalRead,
    TerminalWrite,
    SignalDelivery,
    ContextSwitch,  // from the choice of the next thread to its first step
    LockWait,       // for a contended lock, spinning or asleep: + its rank
};

// The TSC when the measurement that is under way began; kLatencyOff: none is. Set by
// kernel/prof/proc_files.cc once every CPU has its histograms (Cpu::latencies).
inline constexpr uint64_t kLatencyOff = ~0ull;
extern uint64_t latency_since;

// What latency_end needs: 0, which is before any measurement, while there is none. The TSC has
// long left 0; told so, the compiler leaves nothing to do at the end of what is not timed.
inline uint64_t latency_start() {
    if (latency_since == kLatencyOff) return 0;
    uint64_t now = x86::rdtsc();
    if (now == 0) __builtin_unreachable();
    return now;
}
// Counts what began at `start`, unless that was before the measurement.
inline void latency_end(uint64_t kind, uint64_t start) {
    if (start >= latency_since) [[unlikely]]
        histogram_add(*this_cpu().latencies[kind], x86::rdtsc() - start);
}

// Times the scope that it lives in. The TSCs of all CPUs go alike, so a thread may have moved
// meanwhile.
class LatencyTimer {
  public:
    explicit LatencyTimer(Latency kind, uint64_t which = 0)
        : kind_(static_cast<uint32_t>(kind) + which), start_(latency_start()) {}
    ~LatencyTimer() {
        if (start_ != 0) [[unlikely]] latency_end(kind_, start_);
    }

  private:
    const uint64_t kind_, start_;
};
