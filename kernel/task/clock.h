// The time of day: the battery-backed clock as read at boot, plus the time since.
#pragma once
#include <cstdint>

inline constexpr uint64_t kNsPerSecond = 1'000'000'000;

// Reads the clock chip and gives the file systems their clock. Boot, after tsc_calibrate.
void clock_init();
// Nanoseconds since 1970-01-01 00:00 UTC.
uint64_t realtime_ns();
// The monotonic time at which it is `realtime` (0 when that was before boot).
uint64_t realtime_to_monotonic(uint64_t realtime);
