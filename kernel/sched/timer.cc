// The timer interrupt and what hangs on it: ticks, accounting, idling, one-shot timers.
//
// The timer is one-shot. A busy CPU arms it for its next tick or its next Timer, whichever
// comes first; an idle one only for its next Timer. The tick that is still armed when a CPU
// goes idle is left to come and then not renewed: threads that sleep for microseconds, as in
// a conversation through pipes, so cost no APIC accesses.
//
// Which mode time is charged to is sampled: a tick charges what has run since the last
// accounting to the mode that it interrupted, and a switch charges it to the mode that the
// thread's last tick saw. Reading the clock at every kernel entry instead would cost more
// than a short system call does.
//
// Timers are in a list per CPU, sorted by deadline. Lists are short (one entry a thread that
// sleeps with a limit), and most new deadlines are late ones, so insertion looks from the
// end. A callback runs without the lock, so that it may take others (wake a thread, start a
// timer). `running` tells timer_cancel on another CPU to wait for it.
#include <algorithm>

#include "kernel/arch/apic.h"
#include "kernel/arch/smp.h"
#include "kernel/arch/tsc.h"
#include "kernel/base/command_line.h"
#include "kernel/sched/run_queue.h"
#include "kernel/sched/wait_queue.h"

namespace {

struct alignas(kCacheLine) TickState {
    uint64_t next_tick = 0;
    uint64_t armed_for = kNoDeadline;  // when the timer interrupt will come
    CpuUsage usage = {};
    SpinLock lock{LockRank::Timer};
    List<Timer, &Timer::link> timers GUARDED_BY(lock);
    Timer* running GUARDED_BY(lock) = nullptr;
} tick_states[kMaxCpus];

uint64_t tick_period_ns() { return 1'000'000'000 / kernel_options.tick_hz; }
void (*tick_hook)(TrapFrame&);

void arm(TickState& state, uint64_t deadline, uint64_t now) {
    state.armed_for = deadline;
    apic_timer_arm(deadline > now ? deadline - now : 1);
}

// A CPU that went idle while our queue held nothing it could take sleeps until told.
void offer_work(const Cpu& self) {
    for (uint32_t i = 0; i < cpu_count; ++i) {
        Cpu& other = cpus[i];
        if (&other == &self || !other.idling.load(std::memory_order_relaxed)) continue;
        count_event(Event::RescheduleIpis);
        return ipi_send(other, kIpiReschedule);
    }
}

// Runs what is due, in the timer interrupt. Returns the next deadline, or kNoDeadline.
uint64_t run_due_timers(TickState& state, uint64_t now) {
    for (;;) {
        Timer* due;
        {
            SpinHold hold(state.lock);
            due = state.timers.front();
            if (due == nullptr) return kNoDeadline;
            if (due->deadline_ns > now) return due->deadline_ns;
            state.timers.remove(due);
            state.running = due;
        }
        due->callback(*due);
        SpinHold hold(state.lock);
        state.running = nullptr;  // `due` may be gone
    }
}

// ---- Sleeping with a limit: what wait_until stands on ----

struct SleepTimer : Timer {
    Thread* thread = nullptr;
};

void end_sleep(Timer& timer) { thread_wake(*static_cast<SleepTimer&>(timer).thread); }

}  // namespace

bool account(Cpu& cpu, Thread& running, uint64_t now) {
    uint64_t used = now - running.accounted_at;
    running.accounted_at = now;
    CpuUsage& usage = tick_states[cpu.id].usage;
    if (&running == cpu.idle) {
        usage.idle_ns += used;
        return false;
    }
    (running.tick_saw_user ? running.used.user_ns : running.used.system_ns) += used;
    (running.tick_saw_user ? usage.user_ns : usage.system_ns) += used;
    return run_queue_charge(cpu, running, used);
}

void scheduler_account_current() {
    InterruptsOff off;
    Cpu& cpu = this_cpu();
    if (account(cpu, *cpu.current, monotonic_ns()))
        cpu.current->set_attention(kAttentionReschedule);
}

void tick_leave_idle(Cpu& cpu, uint64_t now) {
    TickState& state = tick_states[cpu.id];
    if (state.next_tick <= now) state.next_tick = now + tick_period_ns();
    if (state.armed_for > state.next_tick) arm(state, state.next_tick, now);
}

void scheduler_tick(TrapFrame& frame) {
    Cpu& cpu = this_cpu();
    Thread& thread = *cpu.current;
    TickState& state = tick_states[cpu.id];
    uint64_t now = monotonic_ns();
    state.armed_for = kNoDeadline;
    count_event(Event::TimerTicks);

    thread.tick_saw_user = frame.from_user();
    bool slice_over = account(cpu, thread, now);
    uint64_t deadline = run_due_timers(state, now);
    if (tick_hook != nullptr) tick_hook(frame);

    if (&thread != cpu.idle) {
        bool allowed = (thread.affinity.load(std::memory_order_relaxed) >> cpu.id) & 1;
        if (slice_over || !allowed) thread.set_attention(kAttentionReschedule);
        if (run_queue_length(cpu) != 0) offer_work(cpu);
        if (state.next_tick <= now)
            state.next_tick = std::max(state.next_tick + tick_period_ns(), now + 1);
        deadline = std::min(deadline, state.next_tick);
    }
    if (deadline < state.armed_for) arm(state, deadline, now);
}

void scheduler_set_tick_hook(void (*hook)(TrapFrame&)) { tick_hook = hook; }

// `idling` is true from here, or from the switch to this thread, so a waker either sees it
// and interrupts us, or has queued its thread before we look at the queue. STI and HLT leave
// no gap for that interrupt to get lost in.
void idle_loop() {
    Cpu& cpu = this_cpu();
    cpu.idling.store(true, std::memory_order_seq_cst);
    for (;;) {
        x86::cli();
        // The interrupt that ends it may be an offer to steal from another CPU's queue. If
        // one comes while we are about to look anyway, the next tick repeats it.
        if (run_queue_length(cpu) == 0) x86::sti_hlt();
        x86::cli();
        yield();
        // What is queued may be out of our reach for a moment: let interrupts in.
        x86::sti();
        x86::pause();
    }
}

// The idle time of a CPU that has been halted for long is not in its counter yet.
CpuUsage scheduler_cpu_usage(uint32_t index) {
    const Cpu& cpu = cpus[index];
    if (!cpu.online.load()) return {};
    for (;;) {
        uint64_t since = __atomic_load_n(&cpu.idle->accounted_at, __ATOMIC_ACQUIRE);
        CpuUsage usage = tick_states[index].usage;
        bool idle = cpu.idling.load(std::memory_order_acquire);
        if (__atomic_load_n(&cpu.idle->accounted_at, __ATOMIC_ACQUIRE) != since) continue;
        uint64_t now = monotonic_ns();
        if (idle && now > since) usage.idle_ns += now - since;
        return usage;
    }
}

void timer_start(Timer& timer) {
    InterruptsOff off;
    timer.cpu = this_cpu().id;
    TickState& state = tick_states[timer.cpu];
    {
        SpinHold hold(state.lock);
        state.timers.insert_by(&Timer::deadline_ns, &timer);
    }
    if (timer.deadline_ns < state.armed_for) arm(state, timer.deadline_ns, monotonic_ns());
}

void timer_cancel(Timer& timer) {
    TickState& state = tick_states[timer.cpu];
    for (;;) {
        {
            SpinGuard guard(state.lock);
            if (timer.link.linked()) state.timers.remove(&timer);
            if (state.running != &timer) return;
        }
        x86::pause();
    }
}

uint64_t deadline_after(uint64_t ns) {
    uint64_t kept = std::exchange(current_thread()->restart_deadline_ns, 0);
    return kept != 0 ? kept : monotonic_ns() + ns;
}

Error restart_until(uint64_t deadline_ns) {
    current_thread()->restart_deadline_ns = deadline_ns != kNoDeadline ? deadline_ns : 0;
    return Error(kERESTARTNOHAND);
}

bool schedule_until(uint64_t deadline_ns) {
    if (deadline_ns == kNoDeadline) {
        schedule();
        return true;
    }
    Thread* thread = current_thread();
    if (monotonic_ns() >= deadline_ns) {
        thread->state.store(ThreadState::Running, std::memory_order_relaxed);
        return false;
    }
    SleepTimer timer{{deadline_ns, end_sleep}, thread};
    timer_start(timer);
    schedule();
    timer_cancel(timer);
    return monotonic_ns() < deadline_ns;
}
