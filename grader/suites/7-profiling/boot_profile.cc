// Lab 7, what the profiler and /proc/stat say of work that the host chose.
#include "grader/suites/suite.h"

namespace {

// ---- /tests/7-profiling/accounts ----

const uint64_t kUserMs = chosen("user_ms", 150, 300), kSystemMs = chosen("system_ms", 150, 300);
const uint64_t kIdleMs = chosen("idle_ms", 300, 600), kChildMs = chosen("child_ms", 80, 200);
const uint64_t kForks = chosen("forks", 5, 20), kSwitches = chosen("switches", 200, 500);

struct Phase {
    double user, system, idle;  // ms
};
Phase phase(const Guest& guest, const char* name) {
    unsigned long user = 0, system = 0, idle = 0;
    EXPECT_EQ(sscanf(guest.text(name).c_str(), "%lu %lu %lu", &user, &system, &idle), 3);
    return {user * 10.0, system * 10.0, idle * 10.0};
}

// ---- /tests/7-profiling/sampling ----

const uint64_t kLeft = chosen("hot_left", 150, 300), kRight = chosen("hot_right", 50, 100);
const uint64_t kOther = chosen("other_ms", 40, 80), kCopy = chosen("copy_ms", 100, 200);
const uint64_t kSleep = chosen("sleep_ms", 200, 400), kFlood = chosen("flood_ms", 2500, 3500);

// ---- /tests/7-profiling/crowd ----

const uint64_t kCrowdSeed = chosen("crowd_seed", 1, 1ull << 62);

std::string crowd_sum(uint64_t rounds) {
    uint64_t sum = 0;
    for (uint64_t worker = 0; worker < 8; ++worker) {
        Sequence sequence(kCrowdSeed + worker);
        for (uint64_t i = 0; i < rounds; ++i) {
            sum += sequence.next();
            if (i % 64 != 0) continue;
            sequence.next();
            sum += 1;
        }
    }
    return hex(sum);
}

void judge_crowd(const Guest& guest, uint64_t rounds) {
    guest.expect_checks("crowd");
    EXPECT_EQ(guest.text("crowd_sum"), crowd_sum(rounds)) << "the workers computed something else";
    unsigned long taken = 0, dropped = 0, lines = 0, malformed = 0, unnamed = 0;
    ASSERT_EQ(sscanf(guest.text("crowd").c_str(), "%lu %lu %lu %lu %lu", &taken, &dropped, &lines,
                     &malformed, &unnamed),
              5);
    EXPECT_GT(taken, 20u) << "samples of eight busy processes";
    EXPECT_EQ(lines + dropped, taken) << "samples got lost or came twice";
    EXPECT_EQ(malformed, 0u) << "lines that are no stack: torn samples";
    EXPECT_LE(unnamed * 20, lines) << "samples with kernel addresses that no symbol covers";
    EXPECT_GE(guest.number("crowd_named") * 20, lines * 19)
        << "samples of a thread that was not there: torn, or of the wrong CPU";
}

}  // namespace

#define ACCOUNTS_TEST(name)                                                          \
    GUEST_TEST(Accounts, name, .run = "/tests/7-profiling/accounts",                 \
               .machine = "qemu-icount",                                             \
               .data = {{"user_ms", std::to_string(kUserMs)},                        \
                        {"system_ms", std::to_string(kSystemMs)},                    \
                        {"idle_ms", std::to_string(kIdleMs)},                        \
                        {"child_ms", std::to_string(kChildMs)},                      \
                        {"forks", std::to_string(kForks)},                           \
                        {"switches", std::to_string(kSwitches)}},                    \
               .limit = 40)

ACCOUNTS_TEST(computing_is_user_time) {
    Phase computed = phase(guest, "phase_user");
    EXPECT_NEAR(computed.user, static_cast<double>(kUserMs), 30) << "ms of user time";
    EXPECT_LE(computed.system, 20) << "ms of system time";
    EXPECT_LE(computed.idle, 20) << "ms of idle time";
}

ACCOUNTS_TEST(calls_are_system_time) {
    Phase called = phase(guest, "phase_system");
    EXPECT_NEAR(called.user + called.system, static_cast<double>(kSystemMs), 30);
    EXPECT_GE(called.system, static_cast<double>(kSystemMs) * 0.8) << "ms of system time";
    EXPECT_LE(called.idle, 20) << "ms of idle time";
}

ACCOUNTS_TEST(idle_is_no_work) {
    Phase slept = phase(guest, "phase_idle");
    EXPECT_NEAR(slept.idle, static_cast<double>(kIdleMs), 30) << "ms of idle time";
    EXPECT_LE(slept.user + slept.system, 20) << "ms: a sleeping CPU was charged as work";
}

ACCOUNTS_TEST(forks_and_switches_are_counted) {
    guest.expect_checks("accounts");
    EXPECT_EQ(guest.number("processes"), kForks);
    EXPECT_GE(guest.number("forked_switches"), 2 * kForks) << "to each child and back";
    EXPECT_GE(guest.number("ctxt"), 2 * kSwitches) << "turns of two processes";
    EXPECT_LE(guest.number("ctxt"), 3 * kSwitches + 100);
    EXPECT_GE(guest.number("intr"), kUserMs + kSystemMs) << "a tick every millisecond of work";
    EXPECT_GE(guest.number("running"), 1u);
    EXPECT_LE(std::stol(guest.text("boot_off")), 1) << "btime + uptime is now";
}

ACCOUNTS_TEST(a_process_has_its_own_time) {
    unsigned long utime = 0, stime = 0, cutime = 0, cstime = 0;
    ASSERT_EQ(sscanf(guest.text("self").c_str(), "%lu %lu %lu %lu", &utime, &stime, &cutime,
                     &cstime),
              4);
    EXPECT_NEAR(utime * 10.0, static_cast<double>(kUserMs), 60) << "ms, with the loops around";
    EXPECT_NEAR(stime * 10.0, static_cast<double>(kSystemMs), 60);
    EXPECT_NEAR(cutime * 10.0, static_cast<double>(kChildMs), 40) << "ms of a waited-for child";
}

GUEST_TEST(Accounts, the_first_line_is_the_sum, .run = "/tests/7-profiling/accounts", .cpus = 4,
           .data = {{"user_ms", "30"}, {"system_ms", "30"}, {"idle_ms", "30"}, {"child_ms", "10"},
                    {"forks", "5"}, {"switches", "50"}},
           .limit = 40) {
    long off = 0, cpus = 0;
    ASSERT_EQ(sscanf(guest.text("cpus_sum").c_str(), "%ld %ld", &off, &cpus), 2);
    EXPECT_EQ(cpus, 4);
    // Each of the twelve numbers lost less than a tick of its own.
    EXPECT_GE(off, 0) << "the line cpu is less than the sum of the CPUs";
    EXPECT_LE(off, 12);
    EXPECT_GT(guest.number("processes"), 0u);
}

#define SAMPLING_TEST(name)                                                          \
    GUEST_TEST(Sampling, name, .run = "/tests/7-profiling/sampling",                 \
               .machine = "qemu-icount",                                             \
               .data = {{"hot_left", std::to_string(kLeft)},                         \
                        {"hot_right", std::to_string(kRight)},                       \
                        {"other_ms", std::to_string(kOther)},                        \
                        {"copy_ms", std::to_string(kCopy)},                          \
                        {"sleep_ms", std::to_string(kSleep)},                         \
                        {"flood_ms", std::to_string(kFlood)}},                       \
               .limit = 60)

SAMPLING_TEST(finds_the_hot_function_and_its_callers) {
    guest.expect_checks("sampling");
    unsigned long total = 0, left = 0, right = 0, other = 0, strange = 0;
    ASSERT_EQ(sscanf(guest.text("hot").c_str(), "%lu %lu %lu %lu %lu", &total, &left, &right,
                     &other, &strange),
              5);
    // A sample a millisecond, less what an entry without its frame hides.
    auto expect_share = [](unsigned long got, uint64_t ms, const char* what) {
        EXPECT_NEAR(static_cast<double>(got), static_cast<double>(ms),
                    5 + static_cast<double>(ms) * 0.05)
            << "samples of " << what;
    };
    expect_share(left, kLeft, "hot(), called by left()");
    expect_share(right, kRight, "hot(), called by right()");
    expect_share(other, kOther, "other()");
    EXPECT_LE(strange * 20, total) << "samples that are in none of the functions";
}

SAMPLING_TEST(names_the_copy) {
    guest.expect_checks("sampling");
    unsigned long total = 0, named = 0, copying = 0;
    ASSERT_EQ(sscanf(guest.text("copy").c_str(), "%lu %lu %lu", &total, &named, &copying), 3);
    EXPECT_NEAR(static_cast<double>(total), static_cast<double>(kCopy),
                10 + static_cast<double>(kCopy) * 0.05);
    EXPECT_GE(copying * 2, total) << "samples of 32 KiB through a pipe, over and over, whose "
                                     "leaf is a copy; the last one was '"
                                  << guest.text("copy_leaf") << "'";
}

SAMPLING_TEST(names_nearly_all) {
    guest.expect_checks("sampling");
    unsigned long total = 0, named = 0;
    ASSERT_EQ(sscanf(guest.text("copy").c_str(), "%lu %lu", &total, &named), 2);
    ASSERT_GT(total, 0u) << "no samples";
    figure(100.0 * static_cast<double>(named) / static_cast<double>(total), "%");
}

SAMPLING_TEST(idle_is_not_sampled) {
    EXPECT_LE(guest.number("idle"), 5u)
        << "samples during a sleep of " << kSleep << " ms: an idle CPU counted as work";
    EXPECT_GT(std::stoul(guest.text("hot")), 0u) << "and none of work";
}

SAMPLING_TEST(drops_are_counted) {
    unsigned long taken = 0, dropped = 0, lines = 0;
    ASSERT_EQ(sscanf(guest.text("drops").c_str(), "%lu %lu %lu", &taken, &dropped, &lines), 3);
    EXPECT_NEAR(static_cast<double>(taken), static_cast<double>(kFlood),
                static_cast<double>(kFlood) * 0.05)
        << "ticks while nobody read";
    EXPECT_GT(lines, 0u);
    EXPECT_EQ(lines + dropped, taken) << "kept and dropped are not all";
}

SAMPLING_TEST(wild_frame_pointers_do_no_harm) {
    guest.expect_checks("sampling");
    EXPECT_GE(guest.number("lies"), 100u) << "samples while RBP held anything";
}

SAMPLING_TEST(costs_under_one_percent) {
    unsigned long off = 0, on = 0, taken = 0;
    ASSERT_EQ(sscanf(guest.text("cost").c_str(), "%lu %lu %lu", &off, &on, &taken), 3);
    EXPECT_GE(taken, off / 1'000'000 * 95 / 100) << "1 kHz: cheap because it does not sample?";
    figure((static_cast<double>(on) / static_cast<double>(off) - 1) * 100, "%");
}

GUEST_TEST(Sampling, four_cpus_beside_a_reader, .run = "/tests/7-profiling/crowd", .cpus = 4,
           .data = {{"crowd_seed", std::to_string(kCrowdSeed)}, {"crowd_rounds", "2000000"}},
           .limit = 60) {
    judge_crowd(guest, 2'000'000);
}

// CPUs in step: what shows there in one run of many shows here in every run or never.
GUEST_TEST(Sampling, two_cpus_in_step, .run = "/tests/7-profiling/crowd",
           .machine = "bochs-smp", .cpus = 2,
           .data = {{"crowd_seed", std::to_string(kCrowdSeed)}, {"crowd_rounds", "60000"}},
           .limit = 120, .kernel_arguments = "tick_hz=200") {
    judge_crowd(guest, 60'000);
}
