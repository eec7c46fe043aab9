// Lab 4's run_queue.cc, placement.cc and switch.S: what runs next, and where.
#pragma once
#include <cstdint>

#include "kernel/sched/thread.h"

// ---- Lab 4, run_queue.cc: state in Cpu::sched_lab and Thread::sched_lab ----

void run_queue_init_cpu(Cpu& cpu);
// Sets up / ends a thread's scheduling state. Not queued in either.
void run_queue_init_thread(Thread& thread);
void run_queue_destroy_thread(Thread& thread);
// Why a thread is added: a new or woken thread, one whose slice ended, one that yielded.
enum class AddReason : uint8_t { New, Woken, Preempted, Yielded };
// Queues a runnable thread on `cpu`; it must be in no queue. Interrupts off.
void run_queue_add(Cpu& cpu, Thread& thread, AddReason reason);
// Takes the thread that `cpu` (the calling one) should run next, or nullptr. When its own
// queue is empty it may steal: never a running or an idle thread, or one whose affinity does
// not include `cpu`; two queue locks only in CPU order. Interrupts off.
Thread* run_queue_pick(Cpu& cpu);
// Takes a queued thread out (affinity change). False when it was not queued.
bool run_queue_remove(Thread& thread);
// The running thread used `ns` more of CPU time. Returns true when another queued thread
// should run now (slice over and somebody waits). Interrupts off.
bool run_queue_charge(Cpu& cpu, Thread& running, uint64_t ns);
// Should `woken`, just added to `cpu`, preempt what runs there?
bool run_queue_preempts(Cpu& cpu, Thread& woken);
// Queued threads, without the running one; read without a lock by any CPU.
uint32_t run_queue_length(const Cpu& cpu);

// ---- Lab 4, placement.cc ----

// Chooses the CPU for a new or woken thread from its affinity and the CPUs' loads: an idle
// CPU (the last one it ran on first), else the least loaded. Any context.
Cpu& place_thread(const Thread& thread);

// ---- Lab 4, switch.S ----

extern "C" {
// Saves the callee-saved registers on prev's stack, its stack pointer in prev->saved_rsp,
// loads next's and returns on next's stack. Returns the thread that ran before on this
// stack's behalf: `prev` of the switch that came here. Interrupts off.
Thread* context_switch(Thread* prev, Thread* next);
// First return of a new thread: thread_create builds a stack that "returns" here with the
// entry in RBX and the argument in R12; calls thread_first_run(prev) and then the entry.
void thread_trampoline();
// FPU, SSE and AVX state, by XSAVE or FXSAVE as fpu_use_xsave says.
void fpu_save(void* area);
void fpu_restore(const void* area);
}
// C++ half of a thread's first run (kernel/sched/scheduler.cc): finishes the switch.
extern "C" void thread_first_run(Thread* prev);
extern "C" void thread_entry_returned();
