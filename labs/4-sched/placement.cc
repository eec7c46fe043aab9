// Lab 4: on which CPU a new or woken thread goes. Contract: kernel/sched/run_queue.h.
//
// This version leaves every thread where it was last, which for a new one is its creator's
// CPU, while the other CPUs sleep. Make it look at how busy the CPUs are: run_queue_length
// and Cpu::idling can be read from anywhere without a lock.
#include "kernel/sched/run_queue.h"

#include "kernel/base/log.h"

Cpu& place_thread(const Thread& thread) {
    CpuMask affinity = thread.affinity.load();
    uint32_t last = thread.cpu.load();
    if (((affinity >> last) & 1) != 0 && cpus[last].online.load()) return cpus[last];
    for (uint32_t i = 0; i < cpu_count; ++i) {
        if (((affinity >> i) & 1) != 0 && cpus[i].online.load()) return cpus[i];
    }
    panic("thread %s may run on no online CPU", thread.name);
}
