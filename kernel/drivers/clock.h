// The time of day (the battery-backed clock as read at boot, plus the time since), and times
// in the forms that programs give and take.
#pragma once
#include "kernel/arch/tsc.h"
#include "kernel/fs/vfs.h"

inline constexpr uint64_t kNsPerSecond = 1'000'000'000;

// Reads the clock chip and gives the file systems their clock. Boot, after tsc_calibrate.
void clock_init();
// Nanoseconds since 1970-01-01 00:00 UTC.
uint64_t realtime_ns();
// The monotonic time at which it is `realtime` (0 when that was before boot).
uint64_t realtime_to_monotonic(uint64_t realtime);

// EINVAL when it is negative or its fraction is a second or more; cut to INT64_MAX.
Result<uint64_t> to_ns(const TimeSpec& time);
Result<uint64_t> to_ns(const timeval& time);
TimeSpec to_time_spec(uint64_t ns);
timeval to_time_val(uint64_t ns);
rusage to_rusage(const Usage& used);  // ru_maxrss 0
