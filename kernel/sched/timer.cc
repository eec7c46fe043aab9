// One-shot timers, and sleeping with a limit. A list per CPU, sorted by deadline. Lists are
// short (one entry a thread that sleeps with a limit), and most new deadlines are late ones,
// so insertion looks from the end.
//
// A callback runs without the lock, so that it may take others (wake a thread, start a
// timer). `running` tells timer_cancel on another CPU to wait for it.
#include "kernel/sched/timer.h"

#include "kernel/arch/tsc.h"
#include "kernel/sched/wait_queue.h"

namespace {

struct alignas(kCacheLine) TimerQueue {
    SpinLock lock{LockRank::Timer};
    List<Timer, &Timer::link> timers GUARDED_BY(lock);
    Timer* running GUARDED_BY(lock) = nullptr;
} timer_queues[kMaxCpus];

void insert(TimerQueue& queue, Timer& timer) REQUIRES(queue.lock) {
    Timer* later = nullptr;
    for (Timer* t = queue.timers.back(); t != nullptr; t = queue.timers.prev(t)) {
        if (t->deadline_ns <= timer.deadline_ns) break;
        later = t;
    }
    queue.timers.insert_before(later, &timer);
}

// ---- Sleeping with a limit: what wait_until stands on ----

struct SleepTimer : Timer {
    Thread* thread = nullptr;
};

void end_sleep(Timer& timer) { thread_wake(*static_cast<SleepTimer&>(timer).thread); }

}  // namespace

void timer_start(Timer& timer) {
    InterruptsOff off;
    timer.cpu = this_cpu().id;
    TimerQueue& queue = timer_queues[timer.cpu];
    {
        SpinHold hold(queue.lock);
        insert(queue, timer);
        if (queue.timers.front() != &timer) return;
    }
    scheduler_want_interrupt(timer.deadline_ns);
}

bool timer_cancel(Timer& timer) {
    TimerQueue& queue = timer_queues[timer.cpu];
    bool was_armed = false;
    for (;;) {
        {
            SpinGuard guard(queue.lock);
            if (timer.link.linked()) {
                queue.timers.remove(&timer);
                was_armed = true;
            }
            if (queue.running != &timer) return was_armed;
        }
        x86::pause();
    }
}

uint64_t timer_next_deadline() {
    TimerQueue& queue = timer_queues[this_cpu().id];
    SpinHold hold(queue.lock);
    Timer* first = queue.timers.front();
    return first == nullptr ? ~0ull : first->deadline_ns;
}

void timer_run_due(uint64_t now) {
    TimerQueue& queue = timer_queues[this_cpu().id];
    for (;;) {
        Timer* due;
        {
            SpinHold hold(queue.lock);
            due = queue.timers.front();
            if (due == nullptr || due->deadline_ns > now) return;
            queue.timers.remove(due);
            queue.running = due;
        }
        due->callback(*due);
        SpinHold hold(queue.lock);
        queue.running = nullptr;  // `due` may be gone
    }
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
    SleepTimer timer;
    timer.deadline_ns = deadline_ns;
    timer.callback = end_sleep;
    timer.thread = thread;
    timer_start(timer);
    schedule();
    timer_cancel(timer);
    return monotonic_ns() < deadline_ns;
}
