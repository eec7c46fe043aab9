// Thread: what the scheduler runs. Every user thread has a kernel stack; kernel threads have
// nothing else. A thread's Process (kernel/task) is opaque down here.
#pragma once
#include <atomic>
#include <cstdint>

#include "kernel/arch/cpu.h"
#include "kernel/arch/trap_frame.h"
#include "kernel/base/lab_state.h"
#include "kernel/base/list.h"
#include "kernel/base/result.h"
#include "kernel/base/types.h"

struct Process;

// Running: on a CPU, or in a run queue (on_queue). Interruptible and Uninterruptible:
// asleep, or about to be. Waking: claimed by exactly one waker, on its way to a queue.
// Dead: never runs again; its stack may be freed once on_cpu is false.
enum class ThreadState : uint32_t { Running, Interruptible, Uninterruptible, Waking, Dead };

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

inline constexpr size_t kKernelStackSize = 16 * 1024;

struct Thread {
    // ---- read by assembly: see asm_offsets.h ----
    uint64_t saved_rsp = 0;
    std::atomic<uint32_t> attention{0};

    std::atomic<ThreadState> state{ThreadState::Running};
    std::atomic<bool> on_cpu{false};  // a CPU is executing on its stack
    std::atomic<uint32_t> cpu{0};     // where it runs or ran last
    CpuMask affinity = ~0u;           // under the scheduler's control: thread_set_affinity
    int32_t nice = 0;

    VirtAddr stack_top = 0;
    ActiveSpace* space = nullptr;  // nullptr: kernel thread, runs on whatever is loaded
    void* fpu = nullptr;           // cpu_features.xsave_size bytes, 64-byte aligned
    uint64_t fs_base = 0;          // saved while not running
    uint64_t gs_base = 0;

    uint64_t runtime_ns = 0;       // accounted when switched out and at ticks
    uint64_t switched_in_at = 0;   // monotonic ns
    uint64_t user_ns = 0, system_ns = 0;
    uint64_t switches_voluntary = 0, switches_involuntary = 0;

    LabState<192> sched_lab;   // lab 4: queue link, slice, virtual time
    LabState<256> signal_lab;  // lab 6: pending set, mask, alternate stack

    // ---- owned by kernel/task ----
    Process* process = nullptr;
    int32_t tid = 0;
    char name[16] = {};
    ListLink process_link;         // Process::threads
    VirtAddr clear_child_tid = 0;  // set_tid_address(2)
    VirtAddr robust_list = 0;
    TrapFrame* user_frame = nullptr;  // top of the kernel stack: the user registers

    void set_attention(uint32_t bits) { attention.fetch_or(bits, std::memory_order_release); }
    void clear_attention(uint32_t bits) {
        attention.fetch_and(~bits, std::memory_order_acq_rel);
    }
};
static_assert(__builtin_offsetof(Thread, saved_rsp) == THREAD_SAVED_RSP);
static_assert(__builtin_offsetof(Thread, attention) == THREAD_ATTENTION);

// Makes a thread that will run entry(argument) on its own kernel stack, not yet started.
// ENOMEM. The entry may return: the thread then exits.
Result<Thread*> thread_create(const char* name, void (*entry)(void*), void* argument);
// Makes it runnable for the first time, placed by place_thread. The creator must not touch
// it afterwards without a reference of its own: it may have run and died.
void thread_start(Thread& thread);
// Ends the calling thread. Its Thread is handed to the reaper set by thread_set_reaper, which
// runs on another stack and frees it with thread_free.
[[noreturn]] void thread_exit();
void thread_set_reaper(void (*reap)(Thread&));
void thread_free(Thread& thread);
