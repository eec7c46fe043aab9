// Lab 7, what measuring costs and what it gains: exact figures of the deterministic machine,
// and the clock against it.
#include "grader/suites/suite.h"

#include <cmath>

namespace {

// ---- /tests/7-profiling/clock ----

// A tick is a nanosecond under icount, and five millions are a second in Bochs.
constexpr double kIcountNsATick = 1, kBochsNsATick = 200;
const std::string kClockMs = std::to_string(chosen("clock_ms", 20, 60));

// How far the kernel's nanoseconds are from the machine's, in percent.
double clock_error(const Guest& guest, double ns_a_tick) {
    guest.expect_checks("clock");
    unsigned long ticks = 0, ns = 0;
    EXPECT_EQ(sscanf(guest.text("clock_raw").c_str(), "%lu %lu", &ticks, &ns), 2);
    EXPECT_GT(ticks, std::stoul(kClockMs) * 900'000);
    return std::abs(static_cast<double>(ns) / (static_cast<double>(ticks) * ns_a_tick) - 1) * 100;
}

// ---- /tests/7-profiling/timers ----

const uint64_t kCalls = chosen("timer_calls", 1000, 2000);
const uint64_t kSleeps = kCalls / 30;  // more than 1 in a hundred calls, less than 5
const uint64_t kForks = chosen("timer_forks", 4, 9);

// ---- /tests/7-profiling/list ----

const uint64_t kListSeed = chosen("list_seed", 1, 1ull << 62);
constexpr uint64_t kFiles = 1000;

// "SIZE NAME\n" for each file, by name, as the guest hashes what ls printed.
std::string list_hash() {
    Sequence sequence(kListSeed);
    std::map<std::string, uint64_t> files;
    for (uint64_t i = 0; i < kFiles; ++i) {
        uint64_t which = sequence.next(), size = sequence.below(100);
        char name[40];
        snprintf(name, sizeof name, "%06lx-%lu.txt", which & 0xffffff, i);
        files[name] = size;
    }
    std::string all;
    for (const auto& [name, size] : files) all += std::to_string(size) + " " + name + "\n";
    return hex(hash_of(all));
}

// "KIND N" among the lines of `report`; -1 when there is none.
long value_of(const Guest& guest, const std::string& report, const std::string& kind) {
    for (const std::string& line : guest.all(report))
        if (line.starts_with(kind + " ")) return std::stol(line.substr(kind.size() + 1));
    return -1;
}

}  // namespace

GUEST_TEST(Clock, error_under_a_thousandth, .run = "/tests/7-profiling/clock",
           .machine = "qemu-icount", .data = {{"clock_ms", kClockMs}}) {
    figure(clock_error(guest, kIcountNsATick), "%");
}

GUEST_TEST(Clock, error_on_bochs, .run = "/tests/7-profiling/clock", .machine = "bochs-smp",
           .cpus = 2, .data = {{"clock_ms", "2"}}, .limit = 120,
           .kernel_arguments = "tick_hz=200") {
    guest.expect_checks("clock");
    unsigned long ticks = 0, ns = 0;
    ASSERT_EQ(sscanf(guest.text("clock_raw").c_str(), "%lu %lu", &ticks, &ns), 2);
    figure(std::abs(static_cast<double>(ns) / (static_cast<double>(ticks) * kBochsNsATick) - 1) *
               100,
           "%");
}

GUEST_TEST(Clock, rate_is_shown, .run = "/tests/7-profiling/clock", .machine = "qemu-icount",
           .data = {{"clock_ms", kClockMs}}) {
    EXPECT_NEAR(static_cast<double>(guest.number("clock_mhz")), 1000'000.0, 1000.0)
        << "thousandths of a MHz, in /proc/cpuinfo, of a machine with 1 GHz";
}

GUEST_TEST(Clock, goes_forward_on_all_cpus, .run = "/tests/7-profiling/clock", .cpus = 4,
           .data = {{"clock_ms", "5"}}, .limit = 60) {
    guest.expect_checks("clock");
    EXPECT_EQ(guest.number("clock_hops"), 200u);
}

#define TIMER_TEST(name)                                                              \
    GUEST_TEST(Timers, name, .run = "/tests/7-profiling/timers", .machine = "qemu-icount", \
               .data = {{"timer_calls", std::to_string(kCalls)},                      \
                        {"timer_sleeps", std::to_string(kSleeps)},                    \
                        {"timer_forks", std::to_string(kForks)}},                     \
               .limit = 40)

TIMER_TEST(overhead) {
    guest.expect_checks("timers");
    unsigned long off = 0, on = 0, calls = 0;
    ASSERT_EQ(sscanf(guest.text("timer_raw").c_str(), "%lu %lu %lu", &off, &on, &calls), 3);
    EXPECT_EQ(calls, kCalls);
    // Cheap because it counts nothing?
    EXPECT_GE(value_of(guest, "counted", "system_call"), static_cast<long>(kCalls))
        << "a timer that records nothing costs nothing";
    figure(static_cast<double>(on - off) / static_cast<double>(calls), "instructions");
}

TIMER_TEST(every_call_is_counted) {
    guest.expect_checks("timers");
    // Between the two looks at the counter of system calls lie the looks at the timers.
    long calls = value_of(guest, "total", "system_call");
    EXPECT_NEAR(static_cast<double>(value_of(guest, "counted", "system_call")),
                static_cast<double>(calls), 60);
    EXPECT_GE(calls, static_cast<long>(kCalls + kSleeps));
    EXPECT_NEAR(static_cast<double>(value_of(guest, "counted", "page_fault")),
                static_cast<double>(value_of(guest, "total", "page_fault")), 20);
}

TIMER_TEST(rare_kinds_are_counted) {
    guest.expect_checks("timers");
    EXPECT_EQ(value_of(guest, "counted", "fork"), static_cast<long>(kForks));
    EXPECT_EQ(value_of(guest, "counted", "exec"), static_cast<long>(kForks));
    EXPECT_GE(value_of(guest, "counted", "signal_delivery"), static_cast<long>(kSleeps));
}

// Three of a hundred calls sleep for 3 ms, the others take nothing.
TIMER_TEST(percentiles_tell_fast_from_slow) {
    guest.expect_checks("timers");
    std::map<double, long> percentiles;
    for (const std::string& line : guest.all("percentile")) {
        double quantile = 0;
        long ns = -1;
        ASSERT_EQ(sscanf(line.c_str(), "%lf %ld", &quantile, &ns), 2);
        percentiles[quantile] = ns;
    }
    ASSERT_EQ(percentiles.size(), 5u);
    EXPECT_GT(percentiles[0], 0);
    EXPECT_LE(percentiles[0], percentiles[0.5]);
    EXPECT_LT(percentiles[0.5], 1'000) << "ns: the median call is a getppid";
    EXPECT_LT(percentiles[0.95], 100'000) << "ns: 95 of 100 calls do not sleep";
    EXPECT_GE(percentiles[0.99], 2'900'000) << "ns: one in a hundred slept for 3 ms";
    EXPECT_LT(percentiles[0.99], 5'000'000);
    EXPECT_GE(percentiles[1], percentiles[0.99]);
}

GUEST_TEST(Figures, list_1000, .run = "/tests/7-profiling/list", .machine = "qemu-icount",
           .data = {{"list_seed", std::to_string(kListSeed)},
                    {"list_files", std::to_string(kFiles)}},
           .limit = 100) {
    guest.expect_checks();
    EXPECT_EQ(guest.text("list_hash"), list_hash()) << "ls did not print each file once";
    GuestFigure result = guest.figure("list_1000");
    unsigned long ticks = 0, files = 0;
    ASSERT_EQ(sscanf(guest.text("list_raw").c_str(), "%lu %lu", &ticks, &files), 2);
    EXPECT_EQ(files, kFiles);
    EXPECT_NEAR(static_cast<double>(ticks), result.median, 1);
    // A listing that takes ages is not repeated; it misses the target anyway.
    if (result.median < 400e6) {
        EXPECT_GE(result.repetitions, 10);
    }
    figure(result.median / 1e6, "ms");
}
