// Lab 4, what threads and processes notice of the scheduler: all must run, in turn and in
// parallel, with their registers, and every wake-up must arrive.
#include "grader/suites/suite.h"

#include <cstring>

namespace {

// ---- /tests/4-sched/spread ----

const uint64_t kSpreadSeed = chosen("spread_seed", 1, 1ull << 62);

uint64_t spread_sum() {
    uint64_t sum = 0;
    for (uint64_t part = 0; part < 8 * 64; ++part) {
        Sequence sequence(kSpreadSeed + part);
        for (int i = 0; i < 20000; ++i) sum += sequence.next();
    }
    return sum;
}

// ---- /tests/4-sched/fpu ----

const uint64_t kFpuSeed = chosen("fpu_seed", 1, 1ull << 62);
const uint64_t kFpuRounds = chosen("fpu_rounds", 500, 900);

std::string fpu_hash() {
    std::string all;
    for (uint64_t thread = 0; thread < 12; ++thread) {
        Sequence sequence(kFpuSeed + thread);
        uint64_t values[16][2], step[2];
        for (auto& pair : values) pair[0] = sequence.next(), pair[1] = sequence.next();
        step[0] = sequence.next(), step[1] = sequence.next();
        for (auto& pair : values) pair[0] += kFpuRounds * step[0], pair[1] += kFpuRounds * step[1];
        all.append(reinterpret_cast<const char*>(values), sizeof values);
    }
    return hex(hash_of(all));
}

// ---- /tests/4-sched/handover ----

const uint64_t kHandoverSeed = chosen("handover_seed", 1, 1ull << 62);
const uint64_t kHandovers = 2 * chosen("handover_steps", 400, 700);

std::string token_after(uint64_t first) {
    uint64_t sum = 0;
    for (uint64_t pair = 0; pair < 4; ++pair) {
        uint64_t token = first + pair;
        for (uint64_t i = 0; i < kHandovers; ++i) token = Sequence(token + i % 2).next();
        sum += token;
    }
    return hex(sum);
}

void judge_handovers(const Guest& guest, const char* group) {
    guest.expect_checks("handover");
    if (guest.reported("fail")) return;
    bool futex = strcmp(group, "handover_futex") == 0;
    EXPECT_EQ(guest.text(group), token_after(kHandoverSeed + (futex ? 0 : 1000)))
        << "the token did not go through the right hands in turn";
}

// ---- /tests/4-sched/turns ----

const std::string kTurns = std::to_string(chosen("turns_rounds", 20, 40));

}  // namespace

GUEST_TEST(Spread, work_runs_on_every_cpu, .run = "/tests/4-sched/spread", .cpus = 4,
           .data = {{"spread_seed", std::to_string(kSpreadSeed)}}, .limit = 40) {
    EXPECT_EQ(guest.number("spread_sum"), spread_sum());
    EXPECT_EQ(guest.text("spread_cpus"), "0xf")
        << "eight threads computed for seconds, and some CPU never helped";
}

GUEST_TEST(Spread, threads_run_where_they_may, .run = "/tests/4-sched/spread", .cpus = 4,
           .data = {{"spread_seed", std::to_string(kSpreadSeed)}}, .limit = 40) {
    guest.expect_checks("affinity");
}

#define FPU_TEST(name, count)                                                         \
    GUEST_TEST(Registers, name, .run = "/tests/4-sched/fpu", .cpus = count,           \
               .data = {{"fpu_seed", std::to_string(kFpuSeed)},                       \
                        {"fpu_rounds", std::to_string(kFpuRounds)}},                  \
               .limit = 40) {                                                         \
        EXPECT_EQ(guest.text("fpu_hash"), fpu_hash())                                 \
            << "XMM registers of a thread were changed while it gave way";            \
        guest.expect_checks("fpu");                                                   \
    }
FPU_TEST(fpu_and_sse_on_one_cpu, 1)
FPU_TEST(fpu_and_sse_on_four_cpus, 4)

#define HANDOVER_TESTS(count, word)                                                   \
    GUEST_TEST(WakeUp, futex_##word, .run = "/tests/4-sched/handover", .cpus = count, \
               .data = {{"handover_seed", std::to_string(kHandoverSeed)},             \
                        {"handover_steps", std::to_string(kHandovers)}},              \
               .limit = 60) {                                                         \
        judge_handovers(guest, "handover_futex");                                     \
    }                                                                                 \
    GUEST_TEST(WakeUp, pipe_##word, .run = "/tests/4-sched/handover", .cpus = count,  \
               .data = {{"handover_seed", std::to_string(kHandoverSeed)},             \
                        {"handover_steps", std::to_string(kHandovers)}},              \
               .limit = 60) {                                                         \
        judge_handovers(guest, "handover_pipe");                                      \
    }
HANDOVER_TESTS(1, on_one_cpu)
HANDOVER_TESTS(2, on_two_cpus)
HANDOVER_TESTS(4, on_four_cpus)

#define TURNS_TEST(name)                                                              \
    GUEST_TEST(Turns, name, .run = "/tests/4-sched/turns", .machine = "qemu-icount",  \
               .data = {{"turns_rounds", kTurns}}, .limit = 40)

TURNS_TEST(a_spinner_is_preempted) {
    guest.expect_checks("preempt");
    EXPECT_EQ(guest.text("turns_rounds"), kTurns)
        << "the parent did not get its work done beside a child that spins";
}

TURNS_TEST(two_spinners_share) { figure(static_cast<double>(guest.number("share_percent")), "%"); }

TURNS_TEST(sleeps_end_in_time) {
    guest.expect_checks("sleep");
    EXPECT_LT(guest.number("late_alone"), 100'000u) << "ns late, on an idle CPU";
}

TURNS_TEST(a_sleeper_wakes_beside_a_spinner) {
    figure(static_cast<double>(guest.number("late_beside")) / 1e6, "ms");
}

GUEST_TEST(Turns, the_timer_ticks_on_every_cpu, .run = "/tests/4-sched/ticking", .cpus = 4,
           .limit = 40) {
    for (int cpu = 0; cpu < 4; ++cpu) {
        EXPECT_GE(guest.number("turns_" + std::to_string(cpu)), 10u)
            << "two threads spin on CPU " << cpu << ", and their turns stop";
    }
}
