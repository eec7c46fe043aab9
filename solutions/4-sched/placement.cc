// Lab 4: on which CPU a new or woken thread goes. Contract: kernel/sched/run_queue.h.
//
// The loads are counters that each CPU keeps anyway (queue length, is it idle), read here
// without any lock. They may be old by the time the thread arrives: a wrong choice costs a
// little time, not correctness, and stealing mends it.
//
// In order: the CPU it ran on last if that is idle (its caches know the thread), any idle
// one, the least loaded one, where the last CPU wins a tie.
#include "kernel/sched/run_queue.h"

namespace {

// Threads that want this CPU; 0 when it is idle and nothing is on the way to it.
uint32_t load_of(const Cpu& cpu) {
    uint32_t running = cpu.idling.load(std::memory_order_relaxed) ? 0 : 1;
    return run_queue_length(cpu) + running;
}

bool usable(const Cpu& cpu, CpuMask affinity) {
    return ((affinity >> cpu.id) & 1) != 0 && cpu.online.load(std::memory_order_relaxed);
}

}  // namespace

Cpu& place_thread(const Thread& thread) {
    if (cpu_count == 1) return cpus[0];
    CpuMask affinity = thread.affinity.load(std::memory_order_relaxed);
    Cpu* best = &cpus[thread.cpu.load(std::memory_order_relaxed)];
    uint32_t best_load = usable(*best, affinity) ? load_of(*best) : ~0u;
    for (uint32_t i = 0; i < cpu_count && best_load != 0; ++i) {
        if (!usable(cpus[i], affinity)) continue;
        uint32_t load = load_of(cpus[i]);
        if (load >= best_load) continue;
        best = &cpus[i];
        best_load = load;
    }
    ASSERT(best_load != ~0u);
    return *best;
}
