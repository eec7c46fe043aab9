// Thread: what the scheduler runs. Every user thread has a kernel stack; kernel threads have
// nothing else. A thread's Process (kernel/task) is opaque down here.
#pragma once

#include "kernel/arch/traps.h"
#include "kernel/base/list.h"
#include "kernel/sync/spinlock.h"

struct Process;

// A sleep has two halves. wait_prepare makes the state Interruptible or Uninterruptible: the
// thread still runs and looks a last time whether it must sleep. schedule() then commits:
// the state becomes ...Asleep, and the CPU goes to another. A waker that comes before the
// commit just makes the state Running again, and schedule() returns at once; one that comes
// after it claims the thread by making it Waking, waits until its context is saved (on_cpu
// false), and queues it. Every step is one compare-and-swap, so of several wakers one wins.
enum class ThreadState : uint32_t {
    Running,               // on a CPU, in a run queue, or between the two
    Interruptible,         // about to sleep
    Uninterruptible,
    InterruptibleAsleep,   // asleep
    UninterruptibleAsleep,
    Waking,                // claimed by one waker, on its way to a queue
    Dead,                  // never runs again
};

// Why the return to user mode must take the slow path. Set by anyone (then notify_attention),
// cleared by the thread itself.
enum Attention : uint32_t {
    kAttentionReschedule = 1 << 0,  // time slice over, or a better thread is waiting
    kAttentionSignal = 1 << 1,      // a signal may be deliverable
    kAttentionExit = 1 << 2,        // the thread group is exiting
};

// The part of an address space that the scheduler and the TLB shootdown need.
struct ActiveSpace {
    PhysAddr root = 0;                  // CR3
    std::atomic<CpuMask> cpus{0};       // CPUs whose CR3 may hold it (lazily, too)
};

// What the CPU that switches away from a thread does for it, once its context is saved.
enum class AfterSwitch : uint8_t { Nothing, Migrate, Reap };

// What a thread, or several together, used so far.
struct Usage {
    uint64_t user_ns = 0, system_ns = 0;
    uint64_t switches_voluntary = 0, switches_involuntary = 0;
    uint64_t page_faults = 0;
    Usage& operator+=(const Usage& more);
};

struct alignas(64) Thread {
    // ---- read by assembly: see asm_offsets.h ----
    uint64_t saved_rsp = 0;
    std::atomic<uint32_t> attention{0};

    std::atomic<ThreadState> state{ThreadState::Running};
    std::atomic<bool> on_cpu{false};  // a CPU is executing on its stack
    AfterSwitch after_switch = AfterSwitch::Nothing;
    bool tick_saw_user = false;       // where the last tick found it
    std::atomic<uint32_t> cpu{0};     // where it runs or is queued, or ran last
    std::atomic<CpuMask> affinity{~0u};  // changed by thread_set_affinity

    VirtAddr stack_top = 0;
    ActiveSpace* space = nullptr;  // nullptr: kernel thread, runs on whatever is loaded
    void* fpu = nullptr;           // cpu_features.xsave_size bytes, 64-byte aligned
    uint64_t fs_base = 0;          // saved while not running: scheduler.h
    uint64_t gs_base = 0;

    uint64_t accounted_at = 0;     // monotonic ns of the last accounting
    Usage used;                    // times: accounted when switched out and at ticks

    // Mutexes held, for the lock-rank checker of debug builds.
    uint8_t mutexes_held = 0;
    LockRank mutex_ranks[8] = {};

    LabState<192> sched_lab;   // lab 4: queue link, slice, virtual time
    LabState<256> signal_lab;  // lab 6: pending set, mask, alternate stack

    // ---- owned by kernel/task ----
    Process* process = nullptr;
    int32_t tid = 0;
    char name[16] = {};
    ListLink process_link;         // Process::threads
    VirtAddr clear_child_tid = 0;  // set_tid_address(2)
    TrapFrame* user_frame = nullptr;  // top of the kernel stack: the user registers
    uint64_t restart_deadline_ns = 0; // of a sleep that is to be restarted after a signal
    int32_t fault_code = 0;        // si_code of its fault that no handler has seen yet; 0: none
    VirtAddr fault_address = 0;

    Thread* next_dead = nullptr;  // the reaper's list (kernel/sched/thread.cc)

    void set_attention(uint32_t bits) { attention.fetch_or(bits, std::memory_order_release); }
    void clear_attention(uint32_t bits) {
        attention.fetch_and(~bits, std::memory_order_acq_rel);
    }
};
static_assert(__builtin_offsetof(Thread, saved_rsp) == THREAD_SAVED_RSP);
static_assert(__builtin_offsetof(Thread, attention) == THREAD_ATTENTION);

// Makes a thread that will run entry(argument) on its own kernel stack, with interrupts on,
// not yet started. user_frame points at the room for a TrapFrame at the stack's top. ENOMEM.
// The entry may return: the thread then exits.
Result<Thread*> thread_create(const char* name, void (*entry)(void*), void* argument);
// Gives a thread the FPU state of a new program, which makes it one that the scheduler
// switches as a user thread. The calling thread may do it to itself.
void thread_add_fpu(Thread& thread);
// Makes it runnable for the first time, placed by place_thread. The creator must not touch
// it afterwards without a reference of its own: it may have run and died.
void thread_start(Thread& thread);
// Ends the calling thread. Its Thread is handed to the reaper, a kernel thread that calls
// thread_free.
[[noreturn]] void thread_exit();
// Starts the reaper's thread; before the first thread_exit. ENOMEM.
Result<void> thread_reaper_start();
// Frees a thread that never ran or is dead, with stack and FPU area.
void thread_free(Thread& thread);
// For the scheduler: `thread` is dead and off its stack. Interrupts off.
void thread_reap_later(Thread& thread);
