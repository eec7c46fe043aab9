// When to switch, and how; waking.
//
// Switches happen here alone, with interrupts off, in the thread that gives up the CPU. What
// it leaves undone on its way out (letting others run it, freeing it) is finished by the
// thread that comes in on the same CPU, in finish_switch, because only then is its context
// saved and its stack unused: Thread::on_cpu is false from that moment.
//
//   schedule()  the thread sleeps (or dies)             give_way()  it stays runnable
//        \                                                /
//         switch_to(): address space, FPU, FS and GS base, kernel stack, registers
//
// Waking never sleeps and takes one run-queue lock. The order that makes wake-ups safe is
// told at ThreadState (thread.h) and wait_prepare (wait_queue.h).
//
// A thread that is queued while still on_cpu (it gave way and its context is not saved yet)
// is in its own CPU's queue, where only other CPUs' thieves could run it too early:
// run_queue_pick leaves such threads alone.
#include "kernel/sched/scheduler.h"

#include "kernel/arch/paging.h"
#include "kernel/arch/smp.h"
#include "kernel/arch/tsc.h"
#include "kernel/base/format.h"
#include "kernel/metrics/latency.h"
#include "kernel/sched/run_queue.h"

namespace {

Thread idle_threads[kMaxCpus];

bool may_run_on(const Thread& thread, const Cpu& cpu) {
    return (thread.affinity.load(std::memory_order_relaxed) >> cpu.id) & 1;
}

// ---- Putting threads on queues ----

// `target` has got work that `preempts` what it runs, or not.
void nudge(Cpu& target, bool preempts) {
    Cpu& self = this_cpu();
    if (&target == &self) {
        if (preempts) self.current->set_attention(kAttentionReschedule);
        return;
    }
    // Pairs with the idle loop, which sets `idling` and then looks at its queue.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (!preempts && !target.idling.load(std::memory_order_relaxed)) return;
    count_event(Event::RescheduleIpis);
    ipi_send(target, kIpiReschedule);
}

// Interrupts off. The thread is nobody's: not queued, not on a CPU, claimed by the caller.
void enqueue(Thread& thread, AddReason reason) {
    Cpu& target = place_thread(thread);
    nudge(target, run_queue_add(target, thread, reason));
}

// ---- Address spaces ----
//
// Loading CR3 is the dearest thing in a switch, so a CPU that goes to a kernel thread keeps
// the user space it has ("lazily": nobody runs in it), and pays nothing when it comes back.
// The price is paid by two others: a shootdown must reach lazy CPUs too (there they let go
// of the space), and page tables may be freed only after evict_space.
//
// ActiveSpace::cpus is a superset of the CPUs whose TLB may hold translations of the space:
// the bit is set before CR3 is loaded and cleared after the next load. The locked
// instruction that sets it is a full fence, so either the initiator of a shootdown, which
// changes the page tables first and then reads the mask, sees the bit, or our page walks
// see the changed tables.

// `space` nullptr: the kernel's own map.
void load(Cpu& cpu, ActiveSpace* space, PhysAddr root) {
    ActiveSpace* old = cpu.active_space;
    CpuMask bit = 1u << cpu.id;
    if (space != nullptr) space->cpus.fetch_or(bit, std::memory_order_seq_cst);
    cpu.active_space = space;
    cpu.active_page_map = root;
    x86::write_cr3(root);
    count_event(Event::Cr3Loads);
    if (old != nullptr) old->cpus.fetch_and(~bit, std::memory_order_release);
}

void leave_if_active(void* space) {
    if (this_cpu().active_space == space) leave_space();
}

// ---- Switching ----

// Without FSGSBASE only the kernel changes the bases (but for a program that loads a
// selector into FS or GS, which loses them: so both are always written). With it user code
// may write them at any time, so a switch reads what is there.
void save_bases(Thread& running) {
    if (!cpu_features.fsgsbase) return;
    asm volatile("rdfsbase %0" : "=r"(running.fs_base));
    running.gs_base = x86::rdmsr(x86::kMsrKernelGsBase);
}

void load_bases(const Thread& next) {
    if (cpu_features.fsgsbase)
        asm volatile("wrfsbase %0" : : "r"(next.fs_base) : "memory");
    else
        x86::wrmsr(x86::kMsrFsBase, next.fs_base);
    x86::wrmsr(x86::kMsrKernelGsBase, next.gs_base);
}

// On the stack of the thread that came in, about the one that left.
void finish_switch(Thread& prev) {
    latency_end(static_cast<uint32_t>(Latency::ContextSwitch), this_cpu().switch_start);
    AfterSwitch todo = prev.after_switch;
    prev.after_switch = AfterSwitch::Nothing;
    // From here on a waker may run `prev` elsewhere, and it may die.
    prev.on_cpu.store(false, std::memory_order_release);
    if (todo == AfterSwitch::Nothing) [[likely]] return;
    if (todo == AfterSwitch::Migrate) return enqueue(prev, AddReason::Preempted);
    thread_reap_later(prev);
}

void switch_to(Cpu& cpu, Thread& prev, Thread& next, uint64_t now) {
    cpu.switch_start = latency_start();
    next.on_cpu.store(true, std::memory_order_relaxed);
    next.accounted_at = now;
    if (&prev == cpu.idle) {
        cpu.idling.store(false, std::memory_order_relaxed);
        tick_leave_idle(cpu, now);
    } else if (&next == cpu.idle) {
        cpu.idling.store(true, std::memory_order_seq_cst);
    }
    if (prev.fpu != nullptr) {
        fpu_save(prev.fpu);
        save_bases(prev);
    }
    if (next.space != cpu.active_space) switch_space(next.space);
    if (next.fpu != nullptr) {
        fpu_restore(next.fpu);
        load_bases(next);
    }
    cpu.current = &next;
    cpu.kernel_rsp = next.stack_top;
    set_kernel_stack(cpu, next.stack_top);
    count_event(Event::ContextSwitches);
    finish_switch(*context_switch(&prev, &next));
}

// Makes a sleep definite. False when a waker has been here since wait_prepare.
bool commit_sleep(Thread& thread) {
    ThreadState state = thread.state.load(std::memory_order_relaxed);
    bool interruptible = state == ThreadState::Interruptible;
    if (!interruptible && state != ThreadState::Uninterruptible)
        return state == ThreadState::Dead;
    ThreadState asleep = interruptible ? ThreadState::InterruptibleAsleep
                                       : ThreadState::UninterruptibleAsleep;
    return thread.state.compare_exchange_strong(state, asleep, std::memory_order_acq_rel);
}

// Interrupts off. The current thread stays runnable; another may go first.
void give_way(AddReason reason) {
    Cpu& cpu = this_cpu();
    Thread& prev = *cpu.current;
    prev.clear_attention(kAttentionReschedule);
    uint64_t now = monotonic_ns();
    account(cpu, prev, now);
    bool stays = may_run_on(prev, cpu);
    if (!stays) [[unlikely]] {
        prev.after_switch = AfterSwitch::Migrate;
    } else if (&prev != cpu.idle) {
        if (run_queue_length(cpu) == 0) return;
        run_queue_add(cpu, prev, reason);
    }
    Thread* next = run_queue_pick(cpu);
    if (next == nullptr && !stays) next = cpu.idle;
    ASSERT(next != nullptr || &prev == cpu.idle);
    if (next == nullptr || next == &prev) return;
    ++prev.used.switches_involuntary;
    switch_to(cpu, prev, *next, now);
}

// ---- Waking ----

bool wake(Thread& thread, bool interruptible_only) {
    ThreadState state = thread.state.load(std::memory_order_relaxed);
    ThreadState claimed;
    do {
        bool asleep = state == ThreadState::InterruptibleAsleep ||
                      (state == ThreadState::UninterruptibleAsleep && !interruptible_only);
        bool about_to = state == ThreadState::Interruptible ||
                        (state == ThreadState::Uninterruptible && !interruptible_only);
        if (!asleep && !about_to) return false;
        claimed = asleep ? ThreadState::Waking : ThreadState::Running;
    } while (!thread.state.compare_exchange_weak(state, claimed, std::memory_order_acq_rel,
                                                 std::memory_order_relaxed));
    if (claimed == ThreadState::Running) return true;

    InterruptsOff off;
    // Its CPU is on the way from commit_sleep to finish_switch, with interrupts off.
    while (thread.on_cpu.load(std::memory_order_acquire)) x86::pause();
    thread.state.store(ThreadState::Running, std::memory_order_relaxed);
    enqueue(thread, AddReason::Woken);
    return true;
}

void handle_reschedule_ipi() {
    Cpu& cpu = this_cpu();
    if (cpu.current == cpu.idle) return;  // it looks for work after every interrupt
    if (run_queue_length(cpu) != 0 || !may_run_on(*cpu.current, cpu))
        cpu.current->set_attention(kAttentionReschedule);
}

}  // namespace

void scheduler_init_cpu(Cpu& cpu, VirtAddr idle_stack_top) {
    if (cpu.id == 0) {
        for (Cpu& each : cpus) run_queue_init_cpu(each);
        set_trap_handler(kVectorTimer, scheduler_tick);
        ipi_init();
        ipi_set_handler(kIpiReschedule, handle_reschedule_ipi);
    }
    Thread& idle = idle_threads[cpu.id];
    format_to(idle.name, sizeof(idle.name), "idle/%u", cpu.id);
    idle.stack_top = idle_stack_top;
    idle.affinity.store(1u << cpu.id, std::memory_order_relaxed);
    idle.cpu.store(cpu.id, std::memory_order_relaxed);
    idle.on_cpu.store(true, std::memory_order_relaxed);
    run_queue_init_thread(idle);
    cpu.idle = cpu.current = &idle;
    cpu.kernel_rsp = idle_stack_top;
    idle.accounted_at = monotonic_ns();
    cpu.online.store(true, std::memory_order_release);
}

extern "C" void thread_first_run(Thread* prev) {
    finish_switch(*prev);
    x86::sti();
}

void thread_start(Thread& thread) {
    InterruptsOff off;
    enqueue(thread, AddReason::New);
}

void schedule() {
    check_may_sleep("schedule()");
    InterruptsOff off;
    Cpu& cpu = this_cpu();
    Thread& prev = *cpu.current;
    if (!commit_sleep(prev)) return maybe_yield();
    ASSERT(&prev != cpu.idle);
    uint64_t now = monotonic_ns();
    account(cpu, prev, now);
    ++prev.used.switches_voluntary;
    Thread* next = run_queue_pick(cpu);
    switch_to(cpu, prev, next != nullptr ? *next : *cpu.idle, now);
}

void yield() {
    check_may_sleep("yield()");
    InterruptsOff off;
    give_way(AddReason::Yielded);
}

void maybe_yield() {
    if ((current_thread()->attention.load(std::memory_order_relaxed) &
         kAttentionReschedule) == 0) [[likely]]
        return;
    check_may_sleep("maybe_yield()");
    InterruptsOff off;
    give_way(AddReason::Preempted);
}

bool thread_wake(Thread& thread) { return wake(thread, false); }

void notify_attention(Thread& thread, uint32_t bits) {
    // A full fence: a thread that goes to sleep changes its state and then reads this.
    thread.attention.fetch_or(bits, std::memory_order_seq_cst);
    if (wake(thread, true)) return;
    if (&thread == current_thread() || !thread.on_cpu.load(std::memory_order_acquire)) return;
    Cpu& cpu = cpus[thread.cpu.load(std::memory_order_relaxed)];
    if (&cpu != &this_cpu()) ipi_send(cpu, kIpiReschedule);
}

Result<void> thread_set_affinity(Thread& thread, CpuMask mask) {
    if ((mask & online_cpus()) == 0) return Error(EINVAL);
    thread.affinity.store(mask, std::memory_order_seq_cst);
    InterruptsOff off;
    if (&thread == current_thread()) {
        while (!may_run_on(thread, this_cpu())) give_way(AddReason::Preempted);
    } else if (run_queue_remove(thread)) {
        enqueue(thread, AddReason::Preempted);
    } else if (thread.on_cpu.load(std::memory_order_acquire)) {
        Cpu& cpu = cpus[thread.cpu.load(std::memory_order_relaxed)];
        if (&cpu != &this_cpu() && !may_run_on(thread, cpu)) ipi_send(cpu, kIpiReschedule);
    }
    return {};
}

uint32_t scheduler_runnable_count() {
    uint32_t count = 0;
    for (uint32_t i = 0; i < cpu_count; ++i) {
        count += run_queue_length(cpus[i]);
        if (cpus[i].online.load() && !cpus[i].idling.load()) ++count;
    }
    return count;
}

void user_bases_set(uint64_t fs_base, uint64_t gs_base) {
    InterruptsOff off;
    Thread& thread = *current_thread();
    thread.fs_base = fs_base;
    thread.gs_base = gs_base;
    load_bases(thread);
}

void user_bases_save() {
    InterruptsOff off;
    save_bases(*current_thread());
}

void switch_space(ActiveSpace* space) {
    if (space == nullptr) return;
    InterruptsOff off;
    Cpu& cpu = this_cpu();
    if (cpu.active_space != space) load(cpu, space, space->root);
}

void leave_space() {
    Cpu& cpu = this_cpu();
    if (cpu.active_space != nullptr) load(cpu, nullptr, kernel_root());
}

void evict_space(ActiveSpace& space) {
    CpuMask holders = space.cpus.load(std::memory_order_acquire);
    if (holders != 0) ipi_call(holders, leave_if_active, &space);
}
