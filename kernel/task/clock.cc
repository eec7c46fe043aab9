#include "kernel/task/clock.h"

#include "kernel/drivers/drivers.h"

static uint64_t realtime_at_boot = 0;  // when monotonic_ns() was 0

void clock_init() {
    realtime_at_boot = rtc_read() * kNsPerSecond - monotonic_ns();
    vfs_set_clock([] { return to_time_spec(realtime_ns()); });
}

uint64_t realtime_ns() { return realtime_at_boot + monotonic_ns(); }

uint64_t realtime_to_monotonic(uint64_t realtime) {
    return realtime > realtime_at_boot ? realtime - realtime_at_boot : 0;
}

Result<uint64_t> to_ns(const TimeSpec& time) {
    constexpr int64_t kSecond = kNsPerSecond, kLongest = INT64_MAX / kSecond - 1;
    if (time.seconds < 0 || time.nanoseconds < 0 || time.nanoseconds >= kSecond)
        return Error(EINVAL);
    if (time.seconds > kLongest) return uint64_t{INT64_MAX};
    return static_cast<uint64_t>(time.seconds * kSecond + time.nanoseconds);
}

Result<uint64_t> to_ns(const timeval& time) {
    if (time.tv_usec < 0 || time.tv_usec >= 1'000'000) return Error(EINVAL);
    return to_ns(TimeSpec{time.tv_sec, time.tv_usec * 1000});
}

TimeSpec to_time_spec(uint64_t ns) {
    return {static_cast<int64_t>(ns / kNsPerSecond), static_cast<int64_t>(ns % kNsPerSecond)};
}

timeval to_time_val(uint64_t ns) {
    TimeSpec time = to_time_spec(ns);
    return {time.seconds, time.nanoseconds / 1000};
}

rusage to_rusage(const Usage& used) {
    rusage out = {};
    out.ru_utime = to_time_val(used.user_ns);
    out.ru_stime = to_time_val(used.system_ns);
    out.ru_minflt = static_cast<int64_t>(used.page_faults);
    out.ru_nvcsw = static_cast<int64_t>(used.switches_voluntary);
    out.ru_nivcsw = static_cast<int64_t>(used.switches_involuntary);
    return out;
}
