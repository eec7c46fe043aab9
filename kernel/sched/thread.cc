// Threads' birth and death.
//
// A thread cannot free the stack it stands on. It dies in thread_exit; the next thread on
// its CPU, once off that stack, puts it on the list of the dead; and the reaper, a thread of
// its own because freeing may sleep, takes it from there.
#include "kernel/sched/thread.h"

#include "kernel/arch/paging.h"
#include "kernel/base/format.h"
#include "kernel/sched/run_queue.h"
#include "kernel/sched/wait_queue.h"

namespace {

std::atomic<Thread*> dead{nullptr};
WaitQueue reaper_queue;

// Room for the FPU state lies behind the Thread: a user thread's half of a page together.
size_t thread_bytes() { return sizeof(Thread) + cpu_features.xsave_size; }

bool any_dead() { return dead.load(std::memory_order_relaxed) != nullptr; }

void free_dead() {
    Thread* thread = dead.exchange(nullptr, std::memory_order_acquire);
    while (thread != nullptr) thread_free(*std::exchange(thread, thread->next_dead));
}

void reaper_main(void*) {
    for (;;) {
        (void)wait_until(reaper_queue, any_dead, WaitMode::Uninterruptible);
        free_dead();
    }
}

}  // namespace

Usage& Usage::operator+=(const Usage& more) {
    user_ns += more.user_ns;
    system_ns += more.system_ns;
    switches_voluntary += more.switches_voluntary;
    switches_involuntary += more.switches_involuntary;
    page_faults += more.page_faults;
    return *this;
}

Result<Thread*> thread_create(const char* name, void (*entry)(void*), void* argument) {
    // Whoever makes threads faster than the reaper gets its turn helps it: else a storm of
    // short-lived processes piles up stacks until memory is out.
    if (any_dead()) free_dead();
    VirtAddr stack = TRY(alloc_kernel_stack());
    void* memory = kmalloc(thread_bytes());
    if (memory == nullptr) {
        free_kernel_stack(stack);
        return Error(ENOMEM);
    }
    auto* thread = new (memory) Thread;
    VirtAddr frame = stack - kTrapFrameSize;
    thread->stack_top = stack;
    thread->user_frame = reinterpret_cast<TrapFrame*>(frame);
    thread->saved_rsp = context_prepare(frame, entry, argument);
    thread->cpu.store(this_cpu().id, std::memory_order_relaxed);
    format_to(thread->name, sizeof(thread->name), "%s", name);
    run_queue_init_thread(*thread);
    return thread;
}

void thread_add_fpu(Thread& thread) {
    ASSERT(thread.fpu == nullptr);
    void* area = &thread + 1;
    fpu_init_area(area);
    // A switch must find both the pointer and matching registers, or neither.
    InterruptsOff off;
    if (&thread == current_thread()) fpu_restore(area);
    thread.fpu = area;
    thread.tick_saw_user = true;
}

void thread_exit() {
    Thread& thread = *current_thread();
    thread.after_switch = AfterSwitch::Reap;
    thread.state.store(ThreadState::Dead, std::memory_order_relaxed);
    schedule();
    panic("a dead thread runs: %s", thread.name);
}

extern "C" void thread_entry_returned() { thread_exit(); }

Result<void> thread_reaper_start() {
    thread_start(*TRY(thread_create("reaper", reaper_main, nullptr)));
    return {};
}

void thread_reap_later(Thread& thread) {
    Thread* first = dead.load(std::memory_order_relaxed);
    do {
        thread.next_dead = first;
    } while (!dead.compare_exchange_weak(first, &thread, std::memory_order_release,
                                         std::memory_order_relaxed));
    if (first == nullptr) wake_all(reaper_queue);
}

void thread_free(Thread& thread) {
    run_queue_destroy_thread(thread);
    free_kernel_stack(thread.stack_top);
    thread.~Thread();
    kfree(&thread, thread_bytes());
}
