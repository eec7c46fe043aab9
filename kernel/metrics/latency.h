// How long things take: a histogram for each kind and CPU, shown in /proc/metrics. Off until
// somebody writes 1 there, so that nobody pays for what nobody looks at.
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
    LockWait,  // in contended spin locks
    Count,
};
inline constexpr uint32_t kLatencies = static_cast<uint32_t>(Latency::Count);

// Set by kernel/prof/proc_files.cc, once every CPU has its histograms.
extern bool latency_on;

// Times the scope that it lives in. The TSCs of all CPUs go alike, so a thread may have moved
// meanwhile.
class LatencyTimer {
  public:
    explicit LatencyTimer(Latency kind)
        : kind_(kind), on_(latency_on), start_(on_ ? x86::rdtsc() : 0) {}
    ~LatencyTimer() {
        if (on_) [[unlikely]]
            histogram_add(this_cpu().latencies[static_cast<uint32_t>(kind_)],
                          x86::rdtsc() - start_);
    }

  private:
    const Latency kind_;
    const bool on_;
    const uint64_t start_;
};
