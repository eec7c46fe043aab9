// Lab 4's run_queue.cc, placement.cc and switch.S: what runs next, and where.
#pragma once

#include "kernel/sched/thread.h"

// ---- Lab 4, run_queue.cc: state in Cpu::sched_lab and Thread::sched_lab ----

// Sets up the run queue of `cpu`. Called for all kMaxCpus at boot, before any thread.
void run_queue_init_cpu(Cpu& cpu);
// Sets up / ends a thread's scheduling state. Not queued in either.
void run_queue_init_thread(Thread& thread);
void run_queue_destroy_thread(Thread& thread);
// Why a thread is added: a new or woken thread, one whose slice ended, one that yielded.
enum class AddReason : uint8_t { New, Woken, Preempted, Yielded };
// Queues a runnable thread on `cpu`, and makes that its Thread::cpu; it must be in no queue.
// Returns whether it should run before what `cpu` runs now (the caller then interrupts
// that). Once added it may run and die on another CPU: do not touch it. Interrupts off.
bool run_queue_add(Cpu& cpu, Thread& thread, AddReason reason);
// Takes the thread that `cpu` (the calling one) should run next, or nullptr. When its own
// queue is empty it may steal: never an idle thread, one that is on_cpu elsewhere, or one
// whose affinity does not include `cpu`; two queue locks only in CPU order. Sets the
// thread's Thread::cpu. Interrupts off.
Thread* run_queue_pick(Cpu& cpu);
// Takes a queued thread out (affinity change). False when it was not queued, or is still
// on_cpu: then its CPU is about to run it on or to leave it.
bool run_queue_remove(Thread& thread);
// The running thread used `ns` more of CPU time. Returns true when another queued thread
// should run now (slice over and somebody waits). Interrupts off.
bool run_queue_charge(Cpu& cpu, Thread& running, uint64_t ns);
// Queued threads, without the running one; read without a lock by any CPU.
uint32_t run_queue_length(const Cpu& cpu);

// ---- Lab 4, placement.cc ----

// Chooses the CPU for a new or woken thread from its affinity and the CPUs' loads: an idle
// CPU (the last one it ran on first), else the least loaded. Only CPUs that are online; the
// thread's affinity has at least one. Any context.
Cpu& place_thread(const Thread& thread);

// ---- Lab 4, switch.S ----

extern "C" {
// Saves the callee-saved registers on prev's stack, its stack pointer in prev->saved_rsp,
// loads next's and returns on next's stack. Returns the thread that ran before on this
// CPU: `prev` of the switch that came here. Interrupts off.
Thread* context_switch(Thread* prev, Thread* next);
// Builds the stack of a new thread, below `top` (16-byte aligned): what context_switch loads
// there makes it "return" to thread_trampoline with entry in RBX and argument in R12.
// Returns the value for Thread::saved_rsp. Frame pointer 0, so that a backtrace ends there.
uint64_t context_prepare(VirtAddr top, void (*entry)(void*), void* argument);
// First return of a new thread, with prev in RAX: calls thread_first_run(prev), then
// entry(argument), then thread_entry_returned.
void thread_trampoline();
// FPU, SSE and AVX state, by XSAVE or FXSAVE as fpu_use_xsave says; all components that
// XCR0 enables.
void fpu_save(void* area);
void fpu_restore(const void* area);
}
// C++ half of a thread's first run (kernel/sched/scheduler.cc): finishes the switch, turns
// interrupts on.
extern "C" void thread_first_run(Thread* prev);
extern "C" [[noreturn]] void thread_entry_returned();
