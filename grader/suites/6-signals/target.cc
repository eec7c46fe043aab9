#include "grader/suites/6-signals/target.h"

#include <atomic>

Cpu cpus[kMaxCpus];
uint32_t cpu_count = kMaxCpus;

HostCpu::HostCpu() {
    static std::atomic<uint32_t> next{0};  // CPUs that are there together have counters of their own
    cpu.self = &cpu;
    cpu.id = next++ % kMaxCpus;
    host_cpu = &cpu;
}
