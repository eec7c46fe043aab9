// The kernel's clock against the time-stamp counter, and on all CPUs against itself.
//
// Reported: `clock_raw TICKS NS`, for about `clock_ms` million ticks (host data) of
// CLOCK_MONOTONIC; `clock_mhz`, thousandths of a MHz in /proc/cpuinfo; `clock_hops`, readings
// of the clock in turn on all CPUs.
#include <sched.h>
#include <time.h>

#include "user/tests/7-profiling/proc.h"

static uint64_t now_ns() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

// A pair of readings that belong together: nothing came in between for long.
static void read_both(uint64_t& counter, uint64_t& ns) {
    uint64_t best = ~0ull;
    for (int i = 0; i < 20; i++) {
        uint64_t before = ticks(), clock = now_ns(), after = ticks();
        if (after - before >= best) continue;
        best = after - before;
        counter = before + (after - before) / 2;
        ns = clock;
    }
}

int main() {
    uint64_t start_ticks = 0, start_ns = 0, end_ticks = 0, end_ns = 0;
    read_both(start_ticks, start_ns);
    spin_ticks(host_number("clock_ms", 20) * kTicksAMillisecond);
    read_both(end_ticks, end_ns);
    report("clock_raw", "%lu %lu", end_ticks - start_ticks, end_ns - start_ns);

    const char* cpus = read_file("/proc/cpuinfo");
    const char* mhz = strstr(cpus, "cpu MHz\t\t: ");
    double value = mhz != nullptr ? atof(mhz + 11) : 0;
    report("clock_mhz", "%ld", static_cast<long>(value * 1000 + 0.5));

    unsigned count = cpu_count();
    uint64_t last = 0, backwards = 0, hops = 0;
    for (unsigned round = 0; round < 50; round++) {
        for (unsigned cpu = 0; cpu < count; cpu++) {
            if (!check("clock.pinned", pin_to_cpu(cpu))) return check_summary("clock");
            check_quietly(true);
            uint64_t now = now_ns();
            backwards += now < last;
            last = now;
            hops++;
        }
    }
    check_equal("clock.goes_back", 0, static_cast<long>(backwards));
    report("clock_hops", "%lu", hops);
    return check_summary("clock");
}
