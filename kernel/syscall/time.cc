// System calls: clocks, sleeping, timers, CPU time.
#include "kernel/syscall/calls.h"

namespace {

Result<uint64_t> read_clock(int clock) {
    switch (clock) {
        case CLOCK_REALTIME:
        case CLOCK_REALTIME_COARSE: return realtime_ns();
        case CLOCK_MONOTONIC:
        case CLOCK_MONOTONIC_RAW:
        case CLOCK_MONOTONIC_COARSE:
        case CLOCK_BOOTTIME: return monotonic_ns();
        case CLOCK_PROCESS_CPUTIME_ID: {
            Usage used = process_usage(current_process());
            return used.user_ns + used.system_ns;
        }
        case CLOCK_THREAD_CPUTIME_ID:
            scheduler_account_current();
            return current_thread()->used.user_ns + current_thread()->used.system_ns;
        default: return Error(EINVAL);
    }
}

}  // namespace

// ---- Clocks ----

Result<void> sys_clock_gettime(int clock, UserOut<TimeSpec> time) {
    return time.write(to_time_spec(TRY(read_clock(clock))));
}

Result<void> sys_clock_getres(int clock, UserOut<TimeSpec> resolution) {
    TRY(read_clock(clock));
    return resolution.is_null() ? Result<void>{} : resolution.write({0, 1});
}

Result<void> sys_gettimeofday(UserOut<timeval> time, UserOut<uint64_t> zone) {
    if (!time.is_null()) TRY(time.write(to_time_val(realtime_ns())));
    return zone.is_null() ? Result<void>{} : zone.write(0);  // UTC, no daylight saving
}

Result<int64_t> sys_time(UserOut<int64_t> time) {
    auto seconds = static_cast<int64_t>(realtime_ns() / kNsPerSecond);
    if (!time.is_null()) TRY(time.write(seconds));
    return seconds;
}

// ---- Sleeping ----

// Interrupted, a sleep of a given length tells what is left of it.
Result<void> sys_clock_nanosleep(int clock, int flags, UserIn<TimeSpec> time,
                                 UserOut<TimeSpec> remaining) {
    if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME)
        return Error(EINVAL);
    bool relative = (flags & TIMER_ABSTIME) == 0;
    uint64_t deadline = TRY(to_ns(TRY(time.read())));
    if (relative) deadline = deadline_after(deadline);
    else if (clock == CLOCK_REALTIME) deadline = realtime_to_monotonic(deadline);
    WaitQueue nobody;
    Result<void> slept =
        wait_until(nobody, [] { return false; }, WaitMode::Interruptible, deadline);
    if (slept.error().number() == ETIMEDOUT) return {};
    if (!relative) return Error(kERESTARTNOHAND);
    uint64_t now = monotonic_ns();
    if (!remaining.is_null())
        TRY(remaining.write(to_time_spec(deadline > now ? deadline - now : 0)));
    return restart_until(deadline);
}

// ---- CPU time ----

Result<int64_t> sys_times(UserOut<tms> ticks) {
    Process& process = current_process();
    Usage used = process_usage(process);
    // 100 a second: AT_CLKTCK.
    auto to_ticks = [](uint64_t ns) { return static_cast<int64_t>(ns / (kNsPerSecond / 100)); };
    if (!ticks.is_null())
        TRY(ticks.write({to_ticks(used.user_ns), to_ticks(used.system_ns),
                         to_ticks(process.dead_children.user_ns),
                         to_ticks(process.dead_children.system_ns)}));
    return to_ticks(monotonic_ns());
}

Result<void> sys_getrusage(int who, UserOut<rusage> usage) {
    Process& process = current_process();
    if (who != RUSAGE_SELF && who != RUSAGE_CHILDREN) return Error(EINVAL);
    if (who == RUSAGE_CHILDREN) return usage.write(to_rusage(process.dead_children));
    rusage own = to_rusage(process_usage(process));
    own.ru_maxrss = static_cast<int64_t>(process.space->resident_pages() * 4);
    return usage.write(own);
}

// ---- ITIMER_REAL ----

namespace {

void alarm_fired(Timer& timer) {
    auto& alarm = static_cast<AlarmTimer&>(timer);
    post_signal(*alarm.process, SIGALRM);
    if (alarm.interval_ns == 0) {
        // The process may be freed from now on.
        alarm.armed.store(false, std::memory_order_release);
        return;
    }
    alarm.deadline_ns += alarm.interval_ns;
    timer_start(alarm);
}

struct AlarmState {
    uint64_t value_ns, interval_ns;
};

// Returns what was in force; `wanted` takes its place, value_ns 0: off.
AlarmState exchange_alarm(const AlarmState& wanted) {
    AlarmTimer& alarm = current_process().alarm;
    MutexGuard tree(process_tree);
    AlarmState old = {0, 0};
    bool armed = alarm.armed.load(std::memory_order_acquire);
    uint64_t now = monotonic_ns();
    if (armed) old = {alarm.deadline_ns > now ? alarm.deadline_ns - now : 1, alarm.interval_ns};
    if (armed) timer_cancel(alarm);
    alarm.armed.store(wanted.value_ns != 0, std::memory_order_relaxed);
    if (wanted.value_ns == 0) return old;
    alarm.callback = alarm_fired;
    alarm.deadline_ns = now + wanted.value_ns;
    alarm.interval_ns = wanted.interval_ns;
    timer_start(alarm);
    return old;
}

}  // namespace

// ITIMER_REAL is the only kind there is.
Result<void> sys_setitimer(int which, UserIn<itimerval> value, UserOut<itimerval> old) {
    if (which != ITIMER_REAL) return Error(EINVAL);
    AlarmState wanted = {0, 0};
    if (!value.is_null()) {
        itimerval timer = TRY(value.read());
        wanted = {TRY(to_ns(timer.it_value)), TRY(to_ns(timer.it_interval))};
    }
    AlarmState before = exchange_alarm(wanted);
    if (old.is_null()) return {};
    return old.write({to_time_val(before.interval_ns), to_time_val(before.value_ns)});
}

// Whole seconds, rounded up: 0 would say that there was no alarm.
Result<uint32_t> sys_alarm(uint32_t seconds) {
    AlarmState before = exchange_alarm({seconds * kNsPerSecond, 0});
    return static_cast<uint32_t>((before.value_ns + kNsPerSecond - 1) / kNsPerSecond);
}
