// Lab 6, signals as programs meet them: handlers with their contexts and masks, calls that
// are interrupted, stacks, crowds of senders, and job control.
#include "grader/suites/suite.h"

namespace {

// ---- /tests/6-signals/frames ----

const uint64_t kFramesSeed = chosen("frames_seed", 1, 1ull << 62);

// As the program lays them out.
struct Registers {
    uint64_t general[15], flags;
    uint64_t vector[16][2];
    uint64_t red_zone[16];
    uint64_t mxcsr, control;
};

// What all rounds leave in the registers: as they were, or as the handler wanted them.
std::string frames_hash(uint64_t rounds, bool edited, bool avx) {
    constexpr uint64_t kFlags = 0xcd5;
    Sequence sequence(kFramesSeed);
    std::string all;
    for (uint64_t round = 0; round < rounds; ++round) {
        Registers r{};
        for (uint64_t& value : r.general) value = sequence.next();
        r.flags = (sequence.next() & kFlags) | 0x202;
        for (auto& pair : r.vector) pair[0] = sequence.next(), pair[1] = sequence.next();
        for (uint64_t& value : r.red_zone) value = sequence.next();
        r.mxcsr = 0x1f80 | sequence.below(4) << 13;
        r.control = 0x37f | sequence.below(4) << 10;
        uint64_t edit = sequence.next();
        if (avx) for (int i = 0; i < 4; ++i) sequence.next();
        if (edited) {
            r.general[4] += edit;
            r.general[13] = edit;
            r.vector[5][0] ^= edit;
            for (int i : {3, 8, 9, 14}) r.general[i] = 0;
            r.flags = r.mxcsr = r.control = 0;
            for (uint64_t& value : r.red_zone) value = 0;
        }
        all.append(reinterpret_cast<const char*>(&r), sizeof r);
    }
    return hex(hash_of(all));
}

void judge_registers(const Guest& guest, uint64_t rounds) {
    guest.expect_checks("context");
    EXPECT_EQ(guest.text("frames_registers"),
              frames_hash(rounds, false, guest.number("frames_avx") != 0))
        << "the interrupted program did not find its registers, flags, vector registers or red "
           "zone again";
}

// ---- /tests/6-signals/masks ----

const uint64_t kMasksSeed = chosen("masks_seed", 1, 1ull << 62);

std::string taken_at_once() {
    Sequence sequence(kMasksSeed);
    auto bit = [](int signal) { return 1ull << (signal - 1); };
    // Not SIGKILL, SIGSTOP, SIGCONT and its opposites, and those of the C library.
    uint64_t set = sequence.next() & ~(bit(9) | bit(19) | bit(18) | bit(20) | bit(21) | bit(22) |
                                       7ull << 31);
    uint64_t count = 0, sum = 0;
    for (int signal = 1; signal <= 64; ++signal) {
        if ((set & bit(signal)) == 0) continue;
        bool first = sequence.below(2) == 0, second = sequence.below(2) == 0;
        // To the process twice, to the thread twice: once; to both: twice.
        uint64_t times = first == second ? 1 : 2;
        count += times;
        sum += times * static_cast<uint64_t>(signal * signal);
    }
    return std::to_string(count) + " " + std::to_string(sum);
}

// ---- /tests/6-signals/restart ----

const uint64_t kRestartSeed = chosen("restart_seed", 1, 1ull << 62);
const uint64_t kRestartSize = chosen("restart_size", 400'000, 600'000);

// ---- /tests/6-signals/crowd ----

const uint64_t kCrowdSeed = chosen("crowd_seed", 1, 1ull << 62);

uint64_t next_token(uint64_t token, uint64_t player) { return Sequence(token + player).next(); }

std::string sum_of_turns(uint64_t turns) {
    uint64_t sum = 0;
    for (uint64_t pair = 0; pair < 3; ++pair) {
        uint64_t token = kCrowdSeed + pair;
        for (uint64_t turn = 0; turn < turns; ++turn) token = next_token(token, turn % 2);
        sum += token;
    }
    return hex(sum);
}

std::string sum_of_senders(uint64_t signals) {
    uint64_t sum = 0;
    for (uint64_t sender = 0; sender < 3; ++sender) {
        Sequence sequence(kCrowdSeed + 100 + sender);
        for (uint64_t n = 0; n < signals; ++n)
            sum += next_token(kCrowdSeed, 35 + 8 * sender + sequence.below(8));
    }
    return hex(6 * sum);  // three ways of waiting, to process and to thread
}

std::string sum_of_spinners() {
    uint64_t sum = 0;
    for (uint64_t spinner = 0; spinner < 4; ++spinner) sum += next_token(kCrowdSeed, spinner);
    return hex(sum);
}

// A test that stands still says so itself, and its sum is missing for no other reason.
void judge_crowd(const Guest& guest, const char* group, const char* name,
                 const std::string& expected) {
    guest.expect_checks(group);
    if (guest.reported("fail")) return;
    EXPECT_EQ(guest.text(name), expected) << "signals were lost, or handlers ran that should not";
}

// ---- /tests/6-signals/stacks ----

const uint64_t kStacksSeed = chosen("stacks_seed", 1, 1ull << 62);

std::string sum_of_stacks() {
    uint64_t sum = 0;
    for (uint64_t signal = 45; signal >= 40; --signal) {  // the innermost ends first
        Sequence sequence(kStacksSeed + signal);
        for (int i = 0; i < 32; ++i) sum = sum * 3 + sequence.next();
    }
    return hex(sum);
}

// ---- /tests/6-signals/terminal ----

const uint64_t kTerminalSeed = chosen("terminal_seed", 1, 1ull << 62);

}  // namespace

#define FRAMES_TEST(name)                                                           \
    GUEST_TEST(Frames, name, .run = "/tests/6-signals/frames", .cpus = 2,           \
               .data = {{"frames_seed", std::to_string(kFramesSeed)},               \
                        {"frames_rounds", "40"}},                                   \
               .limit = 40)

FRAMES_TEST(registers_come_back) { judge_registers(guest, 40); }

FRAMES_TEST(handlers_may_change_registers) {
    guest.expect_checks("context");
    EXPECT_EQ(guest.text("frames_edited"), frames_hash(40, true, guest.number("frames_avx") != 0))
        << "what the handler wrote into its frame (RAX, R12, XMM5) did not reach the registers, or "
           "sigreturn's own result stands in RAX";
}

FRAMES_TEST(handlers_start_as_functions_do) { guest.expect_checks("handler"); }

FRAMES_TEST(nothing_in_a_frame_is_trusted) { guest.expect_checks("trust"); }

// Four CPUs, and the one machine where SYSRET to a non-canonical address does what Intel's
// processors do.
GUEST_TEST(Frames, on_bochs, .run = "/tests/6-signals/frames", .machine = "bochs-smp", .cpus = 2,
           .data = {{"frames_seed", std::to_string(kFramesSeed)}, {"frames_rounds", "3"}},
           .limit = 120, .kernel_arguments = "tick_hz=5") {
    judge_registers(guest, 3);
    guest.expect_checks("trust");
}

#define MASKS_TEST(name)                                                            \
    GUEST_TEST(Masks, name, .run = "/tests/6-signals/masks", .cpus = 2,             \
               .data = {{"masks_seed", std::to_string(kMasksSeed)}}, .limit = 40)

MASKS_TEST(handlers_run_under_their_mask) { guest.expect_checks("handler"); }

MASKS_TEST(kill_and_stop_cannot_be_blocked) { guest.expect_checks("mask"); }

MASKS_TEST(all_arrive_at_once) {
    guest.expect_checks("once");
    EXPECT_EQ(guest.text("masks_taken"), taken_at_once())
        << "number and sum of the handlers that had run when sigprocmask returned";
}

MASKS_TEST(sigsuspend_and_its_kin) { guest.expect_checks("suspend"); }

MASKS_TEST(fork_and_exec) {
    guest.expect_checks("fork");
    guest.expect_checks("exec");
}

#define RESTART_TEST(name)                                                          \
    GUEST_TEST(Restart, name, .run = "/tests/6-signals/restart", .cpus = 2,         \
               .data = {{"restart_seed", std::to_string(kRestartSeed)},             \
                        {"restart_size", std::to_string(kRestartSize)}},            \
               .limit = 60)

RESTART_TEST(calls_go_on) {
    guest.expect_checks("restart");
    std::string data;
    Sequence sequence(kRestartSeed);
    for (int round = 0; round < 10; ++round) data += sequence.bytes(200);
    EXPECT_EQ(guest.text("restart_read"), hex(hash_of(data)))
        << "reads that were interrupted and went on returned something else";
}

RESTART_TEST(calls_end_with_eintr) { guest.expect_checks("eintr"); }

RESTART_TEST(transfers_lose_nothing) {
    guest.expect_checks("partial");
    EXPECT_EQ(guest.text("restart_written"),
              hex(hash_of(Sequence(kRestartSeed + 1).bytes(kRestartSize))))
        << "bytes lost or doubled: a transfer that has moved something returns how much";
}

#define STACKS_TEST(name)                                                           \
    GUEST_TEST(Stacks, name, .run = "/tests/6-signals/stacks", .cpus = 2,           \
               .data = {{"stacks_seed", std::to_string(kStacksSeed)}}, .limit = 40)

STACKS_TEST(handlers_nest_on_the_alternate_one) {
    EXPECT_EQ(guest.text("stacks_sum"), sum_of_stacks())
        << "handlers on the alternate stack overwrote each other's data, or did not run";
}

STACKS_TEST(alternate_and_bad_ones) { guest.expect_checks("stack"); }

#define CROWD_TESTS(count, word)                                                    \
    CROWD_TEST(count, turns_##word) {                                               \
        judge_crowd(guest, "turns", "crowd_turns", sum_of_turns(300));              \
    }                                                                               \
    CROWD_TEST(count, senders_##word) {                                             \
        judge_crowd(guest, "senders", "crowd_senders", sum_of_senders(100));        \
    }                                                                               \
    CROWD_TEST(count, loops_##word) {                                               \
        judge_crowd(guest, "spinners", "crowd_spinners", sum_of_spinners());        \
    }
#define CROWD_TEST(count, name)                                                     \
    GUEST_TEST(Crowd, name, .run = "/tests/6-signals/crowd", .cpus = count,         \
               .data = {{"crowd_seed", std::to_string(kCrowdSeed)},                 \
                        {"crowd_turns", "300"}, {"crowd_signals", "100"}},          \
               .limit = 60)
CROWD_TESTS(1, on_one_cpu)
CROWD_TESTS(2, on_two_cpus)
CROWD_TESTS(4, on_four_cpus)
CROWD_TEST(4, groups_that_fork_die_whole) { guest.expect_checks("forks"); }

#define TERMINAL_TEST(name)                                                         \
    GUEST_TEST(Terminal, name, .run = "/tests/6-signals/terminal", .cpus = 2,       \
               .data = {{"terminal_seed", std::to_string(kTerminalSeed)}}, .limit = 20)

TERMINAL_TEST(background_is_kept_off) {
    guest.expect_checks("terminal");
    char word[32];
    snprintf(word, sizeof word, "%lx", kTerminalSeed);
    EXPECT_EQ(guest.text("terminal_words"), word)
        << "what the job read when it had come to the foreground";
}

TERMINAL_TEST(stops_and_continues) { guest.expect_checks("stop"); }

TERMINAL_TEST(orphans_are_released) { guest.expect_checks("orphan"); }

TERMINAL_TEST(parents_are_told) { guest.expect_checks("report"); }

// The project's own tests of signals: what works without handlers, and the rest.
GUEST_TEST(Everything, default_actions, .run = "/tests/signals", .cpus = 2, .limit = 40) {
    guest.expect_checks();
}

GUEST_TEST(Everything, stops_waits_faults, .run = "/tests/signals stop", .cpus = 2, .limit = 20) {
    guest.expect_checks();
}

GUEST_TEST(Everything, a_user_at_a_shell, .run = "/tests/jobs ash", .cpus = 2, .limit = 60) {
    guest.expect_checks();
}

// ---- /tests/6-signals/figures ----

namespace {

const uint64_t kFiguresSeed = chosen("figures_seed", 1, 1ull << 62);
const uint64_t kFiguresSignals = chosen("figures_signals", 80, 120);

double judge_figure(const Guest& guest, const char* name) {
    guest.expect_checks("figures");
    GuestFigure result = guest.figure(name);
    EXPECT_GE(result.repetitions, 10);
    return result.median;
}

}  // namespace

#define FIGURE_TEST(name)                                                           \
    GUEST_TEST(Figures, name, .run = "/tests/6-signals/figures", .machine = "qemu-icount", \
               .data = {{"figures_seed", std::to_string(kFiguresSeed)},             \
                        {"figures_signals", std::to_string(kFiguresSignals)}},      \
               .limit = 40)

FIGURE_TEST(signal_check) {
    unsigned long query = 0, look = 0;
    ASSERT_EQ(sscanf(guest.text("check_raw").c_str(), "%lu %lu", &query, &look), 2);
    // Beyond a call that copies out as many bytes and does not look; it may be dearer itself.
    figure((static_cast<double>(look) - static_cast<double>(query)) / 100, "instructions");
}

FIGURE_TEST(signal_delivery) {
    figure(judge_figure(guest, "delivery") / 1000, "us");
    // Of 13 repetitions, the warm-ups too.
    uint64_t sum = kFiguresSeed;
    for (uint64_t i = 0; i < 13 * kFiguresSignals; ++i) sum = sum * 31 + 10;
    EXPECT_EQ(guest.text("figures_sum"), hex(sum)) << "the handler did not run for each signal";
}

FIGURE_TEST(signal_round_trip) {
    double median = judge_figure(guest, "round");
    unsigned long ticks = 0, signals = 0;
    ASSERT_EQ(sscanf(guest.text("figures_raw").c_str(), "%lu %lu", &ticks, &signals), 2);
    EXPECT_EQ(signals, kFiguresSignals);
    EXPECT_NEAR(static_cast<double>(ticks) / static_cast<double>(signals), median, 0.02)
        << "the figure does not follow from the raw time";
    EXPECT_GT(median, guest.figure("delivery").median) << "the way back costs something, too";
    figure(median / 1000, "us");
}

FIGURE_TEST(signals_in_a_batch) { figure(judge_figure(guest, "batch") / 1000, "us"); }
