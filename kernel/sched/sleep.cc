// Sleeping with a limit, and being interrupted: what wait_until stands on.
#include "kernel/arch/tsc.h"
#include "kernel/sched/timer.h"
#include "kernel/sched/wait_queue.h"

namespace {

struct SleepTimer : Timer {
    Thread* thread = nullptr;
};

void end_sleep(Timer& timer) { thread_wake(*static_cast<SleepTimer&>(timer).thread); }

}  // namespace

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
