// Per-CPU data. While the kernel runs, GS points at the running CPU's Cpu, so this_cpu()
// is one load. The kernel is not preempted inside itself: a Cpu reference stays valid until
// the next call that may sleep or yield.
#pragma once
#include <atomic>

#include "kernel/arch/asm_offsets.h"
#include "kernel/base/lab_state.h"
#include "kernel/base/types.h"

struct Thread;
struct ActiveSpace;
struct Histogram;
class SpinLock;

inline constexpr size_t kKernelStackSize = 16 * 1024;
inline constexpr uint32_t kMaxCpus = 16, kLatencyKinds = 40;

struct alignas(kCacheLine) Cpu {
    Cpu* self;
    Thread* current;
    uint64_t kernel_rsp;
    uint64_t user_rsp;
    uint32_t id;
    uint32_t apic_id;
    Thread* idle;              // runs when the run queue is empty
    PhysAddr active_page_map;  // what CR3 holds
    ActiveSpace* active_space; // the same, as the scheduler knows it; nullptr: kernel's map
    std::atomic<bool> online;      // runs threads: set by scheduler_init_cpu
    std::atomic<bool> idling;      // its idle thread runs: needs an IPI to notice work
    std::atomic<uint32_t> ipi_pending;  // IpiWork bits (kernel/arch/smp.h)
    uint32_t interrupt_depth;      // > 0 while an interrupt handler runs
    uint32_t rcu_readers;          // read sections of RCU under way, in debug builds
    uint32_t held_locks;           // spin locks held, for the lock-rank checker
    const SpinLock* held[16];
    Histogram* latencies[kLatencyKinds];  // kernel/metrics/latency.h; nullptr: never on
    uint64_t switch_start;         // latency_start() of its last context switch

    LabState<512> boot_lab;     // lab 1: GDT and TSS of this CPU
    LabState<4096> paging_lab;  // lab 2: frame cache
    LabState<1024> sched_lab;   // lab 4: run queue
    LabState<256> shootdown_lab;  // lab 4: shootdown requests to this CPU, and its own
};
static_assert(offsetof(Cpu, self) == CPU_SELF);
static_assert(offsetof(Cpu, current) == CPU_CURRENT);
static_assert(offsetof(Cpu, kernel_rsp) == CPU_KERNEL_RSP);
static_assert(offsetof(Cpu, user_rsp) == CPU_USER_RSP);

// The CPUs found at boot are cpus[0..cpu_count-1]; cpus[0] is the boot CPU.
extern Cpu cpus[kMaxCpus];
extern uint32_t cpu_count;

#if __STDC_HOSTED__
// Host tests: a host thread stands for a CPU once it has set host_cpu.
inline thread_local Cpu* host_cpu = nullptr;
inline Cpu& this_cpu() { return *host_cpu; }
inline Thread* current_thread() { return host_cpu->current; }
#else
// Both name `cpus` as an input, although the instruction does not read it: so the compiler
// may keep the result, but not across a call that may have switched threads.
inline Cpu& this_cpu() {
    Cpu* cpu;
    asm("movq %%gs:%c1, %0" : "=r"(cpu) : "i"(CPU_SELF), "m"(cpus));
    return *cpu;
}
// The running thread. Unlike this_cpu() it stays true across sleeps.
inline Thread* current_thread() {
    Thread* thread;
    asm("movq %%gs:%c1, %0" : "=r"(thread) : "i"(CPU_CURRENT), "m"(cpus));
    return thread;
}
#endif

// Sets of CPUs, one bit each.
using CpuMask = uint32_t;
static_assert(kMaxCpus <= 32);
