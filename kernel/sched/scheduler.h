// The scheduler's frame: when to switch, waking, ticks, idle. What to run next and where is
// lab 4's (run_queue.cc, placement.cc).
#pragma once
#include <cstdint>

#include "kernel/sched/thread.h"

// Sets up the calling CPU: its run queue and its idle thread, which is the current context.
void scheduler_init_cpu(Cpu& cpu, VirtAddr idle_stack_top);
// The body of the idle thread: never returns.
[[noreturn]] void idle_loop();

// Gives the CPU to the next thread. If the current thread's state is Running it goes back
// to the queue; else it sleeps until thread_wake. Interrupts may be on or off on entry and
// are as before on return; no spin lock is held. May return on another CPU.
void schedule();
// schedule() with the thread staying runnable, behind its equals.
void yield();
// At loops of unbounded length in the kernel: lets others run when the slice is over.
void maybe_yield();

// Ends a sleep: if the thread's state is Interruptible or Uninterruptible it becomes
// runnable, exactly once however many wakers there are; else nothing. Returns whether this
// call woke it. Any context, wait-queue lock allowed, run-queue locks not held.
bool thread_wake(Thread& thread);
// thread_wake only if its sleep is Interruptible (signals).
bool thread_wake_interruptible(Thread& thread);

// Makes `thread` look at its attention bits soon: wakes an interruptible sleeper, interrupts
// the CPU where it runs in user mode.
void notify_attention(Thread& thread, uint32_t bits);

// Changes where a thread may run; moves it if it runs or waits elsewhere. EINVAL when no
// online CPU is in the mask.
Result<void> thread_set_affinity(Thread& thread, CpuMask mask);

// Runs attention work for the scheduler: called by the user return hook on
// kAttentionReschedule.
void scheduler_attention(TrapFrame& frame);
// The timer interrupt (kVectorTimer): accounts, runs due timers, ends slices, re-arms.
void scheduler_tick(TrapFrame& frame);
void scheduler_set_tick_hz(uint32_t hz);  // default 1000

// Called on every tick with the interrupted frame: the sampler's hook.
void scheduler_set_tick_hook(void (*hook)(TrapFrame&));

// For /proc/stat and times(2): nanoseconds since boot of a CPU.
struct CpuTimes {
    uint64_t user, system, idle;
};
CpuTimes scheduler_cpu_times(uint32_t cpu);
uint32_t scheduler_runnable_count();  // running or queued user threads, all CPUs

// Loads the thread's address space unless the CPU holds it already; counts Cr3Loads.
void switch_space(ActiveSpace* space);
// Makes every other CPU that still holds `space` lazily load the kernel's page map instead
// (before the page tables are freed). The caller's CPU too.
void evict_space(ActiveSpace& space);
