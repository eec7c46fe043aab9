// The scheduler's frame: when to switch, waking, ticks, idle. What to run next and where is
// lab 4's (run_queue.cc, placement.cc).
#pragma once

#include "kernel/metrics/counters.h"
#include "kernel/sched/thread.h"

// Sets up the calling CPU: its idle thread, which is the current context, its timer tick and
// kernel entry stack; marks it online. The boot CPU comes first and sets up what all share.
// The idle thread must never sleep: work at boot that may is for a thread.
void scheduler_init_cpu(Cpu& cpu, VirtAddr idle_stack_top);
// The body of the idle thread: never returns.
[[noreturn]] void idle_loop();

// Puts the current thread to sleep, as its state says (wait_prepare), until thread_wake. If
// it is Running (woken already) it returns at once, unless its time slice is over. Interrupts
// may be on or off on entry and are as before on return; no spin lock is held. May return on
// another CPU.
void schedule();
// Lets other runnable threads go first; the caller stays runnable, behind its equals. Returns
// at once when there are none.
void yield();
// At loops of unbounded length in the kernel, and on the way back to user mode: lets others
// run when the slice is over (kAttentionReschedule).
void maybe_yield();

// Ends a sleep: if the thread sleeps or is about to it becomes runnable, exactly once however
// many wakers there are; else nothing. Returns whether this call woke it. Any context,
// wait-queue lock allowed, run-queue locks not held. What the sleeper waits for has been
// changed before, with a full fence in between (wake_one, wake_all have it).
bool thread_wake(Thread& thread);

// Sets attention bits of `thread` and makes it look at them soon: wakes an interruptible
// sleeper, interrupts the CPU where it runs in user mode. The caller sees to it that the
// thread lives during the call.
void notify_attention(Thread& thread, uint32_t bits);

// Changes where a thread may run. It moves at once when it is queued or calls this itself,
// and within a tick when it runs elsewhere. EINVAL when no online CPU is in the mask. The
// caller sees to it that the thread lives during the call. Thread context.
Result<void> thread_set_affinity(Thread& thread, CpuMask mask);

// The timer interrupt (kVectorTimer): accounts, runs due timers, ends slices, re-arms.
void scheduler_tick(TrapFrame& frame);

// Called on every tick with the interrupted frame: the sampler's hook.
void scheduler_set_tick_hook(void (*hook)(TrapFrame&));

CpuUsage scheduler_cpu_usage(uint32_t cpu);  // for /proc/stat
uint32_t scheduler_runnable_count();  // running or queued threads, all CPUs
// Brings the calling thread's Usage up to now.
void scheduler_account_current();

// ---- Between scheduler.cc and timer.cc, interrupts off ----

// Charges the time since the last accounting to `running` and to `cpu`, the calling one.
// Returns whether another thread should run now.
bool account(Cpu& cpu, Thread& running, uint64_t now);
// `cpu` has work again: the tick must run.
void tick_leave_idle(Cpu& cpu, uint64_t now);

// ---- One-shot timers, kept per CPU: kernel/sched/timer.cc ----

// Embedded in what it belongs to; `cpu` and `link` are the timer code's.
struct Timer {
    uint64_t deadline_ns = 0;  // monotonic_ns
    void (*callback)(Timer&) = nullptr;
    ListLink link = {};
    uint32_t cpu = 0;
};

// Arms `timer` on the calling CPU for deadline_ns; it must not be armed.
void timer_start(Timer& timer);
// Disarms; after it returns the callback neither runs nor will run. Not from the timer's own
// callback, and with no spin lock held that the callback takes: it may have to wait for the
// callback's end. Afterwards it may be started again. The callback may start its own timer
// again.
void timer_cancel(Timer& timer);

// FS and GS base of user code (thread-local storage: System V ABI, arch_prctl(2)). While a
// thread runs they live in the CPU: FS base in its register, GS base in KERNEL_GS_BASE,
// where SWAPGS puts it on the way in. The Thread's fields hold them while it does not run.

// Sets both for the calling thread (exec, arch_prctl, sigreturn). Canonical addresses only:
// anything else faults.
void user_bases_set(uint64_t fs_base, uint64_t gs_base);
// Reads the calling thread's into its Thread (fork, arch_prctl).
void user_bases_save();

// ---- Which address space each CPU has loaded ----

// Loads the address space unless the CPU holds it already; counts Cr3Loads. nullptr keeps
// what is loaded: kernel threads run on any.
void switch_space(ActiveSpace* space);
// The calling CPU lets go of its space and loads the kernel's page map. Interrupts off.
void leave_space();
// Makes every CPU that still holds `space` lazily load the kernel's page map instead, the
// calling one too (before the page tables are freed). No thread runs in it any more; thread
// context, no spin lock held.
void evict_space(ActiveSpace& space);
