#include "kernel/task/clock.h"

#include "kernel/arch/tsc.h"
#include "kernel/drivers/rtc.h"
#include "kernel/fs/vfs.h"

namespace {

uint64_t realtime_at_boot = 0;  // when monotonic_ns() was 0

TimeSpec time_of_day() {
    uint64_t now = realtime_ns();
    return {static_cast<int64_t>(now / kNsPerSecond), static_cast<int64_t>(now % kNsPerSecond)};
}

}  // namespace

void clock_init() {
    realtime_at_boot = rtc_read() * kNsPerSecond - monotonic_ns();
    vfs_set_clock(time_of_day);
}

uint64_t realtime_ns() { return realtime_at_boot + monotonic_ns(); }

uint64_t realtime_to_monotonic(uint64_t realtime) {
    return realtime > realtime_at_boot ? realtime - realtime_at_boot : 0;
}
