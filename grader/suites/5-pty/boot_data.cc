// Lab 5, much data: through pairs and pipes on several CPUs, and what a byte costs.
#include "grader/suites/suite.h"

namespace {

// ---- /tests/5-pty/flood ----

const uint64_t kFloodSeed = chosen("flood_seed", 1, 1ull << 62);

// The hash of what goes the way `which`.
std::string flood_hash(uint64_t which, uint64_t size) {
    return hex(hash_of(Sequence(kFloodSeed + which).bytes(size)));
}

void judge_pair(const Guest& guest, uint64_t size) {
    guest.expect_checks("pair");
    EXPECT_EQ(guest.text("flood_down"), flood_hash(0, size))
        << "from master to slave: bytes lost, doubled or out of order";
    EXPECT_EQ(guest.text("flood_up"), flood_hash(1, size))
        << "from slave to master: bytes lost, doubled or out of order";
}

void judge_pipe(const Guest& guest, uint64_t size) {
    guest.expect_checks("pipe");
    EXPECT_EQ(guest.text("flood_pipe"), flood_hash(2, size))
        << "through a pipe: bytes lost, doubled or out of order";
}

void judge_mix(const Guest& guest, uint64_t lines) {
    guest.expect_checks("mix");
    EXPECT_EQ(guest.number("flood_lines"), 3 * lines)
        << "lines of two writers and the echo that reached the master";
}

// ---- /tests/5-pty/pipes ----

const uint64_t kPipeSeed = chosen("pipe_seed", 1, 1ull << 62);
const uint64_t kPipeSize = chosen("pipe_size", 200'000, 300'000);
const uint64_t kRecords = chosen("pipe_records", 200, 300);

// ---- /tests/5-pty/figures ----

const uint64_t kFigureSeed = chosen("figures_seed", 1, 1ull << 62);
constexpr unsigned kRuns = 10, kPieces = 103, kWords = 8192, kLines = 50, kLine = 1000;

// As the guest sums up what came through the pipe.
std::string pipe_sum() {
    std::vector<uint64_t> words(kWords);
    Sequence data(kFigureSeed);
    for (uint64_t& word : words) word = data.next();
    uint64_t plain = 0, ordered = 0;
    for (unsigned run = 0; run <= kRuns; ++run) {
        for (unsigned piece = 0; piece < kPieces; ++piece) {
            words[piece * 61 % kWords] += kFigureSeed + run;
            for (size_t i = 0; i < kWords; i += 4) {
                plain += words[i] + words[i + 1] + words[i + 2] + words[i + 3];
                ordered += plain ^ words[i + 1] << 1;
            }
        }
    }
    return hex(plain) + " " + hex(ordered);
}

std::string pty_hash() {
    Sequence data(kFigureSeed + 1);
    std::string all;
    for (unsigned line = 0; line < (kRuns + 1) * kLines; ++line) {
        for (unsigned i = 0; i < kLine; ++i) all += static_cast<char>('!' + data.below(90));
        all.back() = '\r';
        all += '\n';
    }
    return hex(hash_of(all));
}

double pty_small_write(const Guest& guest) {
    guest.expect_checks("figures");
    EXPECT_EQ(guest.text("pty_hash"), pty_hash()) << "the master read something else";
    GuestFigure write = guest.figure("pty_write");
    EXPECT_GE(write.repetitions, 10);
    return write.median;
}

}  // namespace

#define FLOOD_TESTS(count, word)                                                    \
    GUEST_TEST(Flood, pair_##word, .run = "/tests/5-pty/flood", .cpus = count,      \
               .data = {{"flood_seed", std::to_string(kFloodSeed)},                 \
                        {"flood_size", "300000"}, {"flood_lines", "1500"}},         \
               .limit = 60) {                                                       \
        judge_pair(guest, 300'000);                                                 \
    }                                                                               \
    GUEST_TEST(Flood, pipe_##word, .run = "/tests/5-pty/flood", .cpus = count,      \
               .data = {{"flood_seed", std::to_string(kFloodSeed)},                 \
                        {"flood_size", "300000"}, {"flood_lines", "1500"}},         \
               .limit = 60) {                                                       \
        judge_pipe(guest, 300'000);                                                 \
    }                                                                               \
    GUEST_TEST(Flood, writers_and_echo_##word, .run = "/tests/5-pty/flood", .cpus = count, \
               .data = {{"flood_seed", std::to_string(kFloodSeed)},                 \
                        {"flood_size", "300000"}, {"flood_lines", "1500"}},         \
               .limit = 60) {                                                       \
        judge_mix(guest, 1500);                                                     \
    }
FLOOD_TESTS(1, on_one_cpu)
FLOOD_TESTS(2, on_two_cpus)
FLOOD_TESTS(4, on_four_cpus)

// Four CPUs in step: what shows there in one run of many shows here in every run or never.
GUEST_TEST(Flood, pair_on_bochs, .run = "/tests/5-pty/flood", .machine = "bochs-smp", .cpus = 4,
           .data = {{"flood_seed", std::to_string(kFloodSeed)},
                    {"flood_size", "30000"}, {"flood_lines", "100"}},
           .limit = 120, .kernel_arguments = "tick_hz=5") {
    judge_pair(guest, 30'000);
    judge_pipe(guest, 30'000);
    judge_mix(guest, 100);
}

#define PIPE_TEST(name)                                                             \
    GUEST_TEST(Pipes, name, .run = "/tests/5-pty/pipes", .cpus = 4,                 \
               .data = {{"pipe_seed", std::to_string(kPipeSeed)},                   \
                        {"pipe_size", std::to_string(kPipeSize)},                   \
                        {"pipe_records", std::to_string(kRecords)}},                \
               .limit = 60)

PIPE_TEST(carry_what_was_written) {
    guest.expect_checks("pipe");
    EXPECT_EQ(guest.text("pipe_hash"), hex(hash_of(Sequence(kPipeSeed).bytes(kPipeSize))))
        << "what came out of the pipe is not what the host chose";
}

PIPE_TEST(keep_small_writes_whole) {
    guest.expect_checks("atomic");
    EXPECT_EQ(guest.number("pipe_records"), 3 * kRecords);
}

#define FIGURE_TEST(name)                                                           \
    GUEST_TEST(Figures, name, .run = "/tests/5-pty/figures", .machine = "qemu-icount", \
               .data = {{"figures_seed", std::to_string(kFigureSeed)}}, .limit = 100)

// One tick is an instruction, called 1 ns: bytes a tick are GB a second.
FIGURE_TEST(pipe_throughput) {
    EXPECT_EQ(guest.text("pipe_sum"), pipe_sum()) << "the reader got something else";
    GuestFigure result = guest.figure("pipe_throughput");
    EXPECT_GE(result.repetitions, 10);
    unsigned long ticks = 0, bytes = 0;
    ASSERT_EQ(sscanf(guest.text("pipe_raw").c_str(), "%lu %lu", &ticks, &bytes), 2);
    EXPECT_EQ(bytes, kPieces * 65536ul);
    EXPECT_NEAR(static_cast<double>(ticks) * 1024 / static_cast<double>(bytes), result.median, 0.1)
        << "the figure does not follow from the raw time";
    figure(1024 * 1000 / result.median, "MB/s");
}

FIGURE_TEST(pty_small_write) { figure(pty_small_write(guest), "instructions a byte"); }

FIGURE_TEST(pty_small_write_gain) { figure(pty_small_write(guest), "instructions a byte"); }

FIGURE_TEST(pty_small_read) {
    guest.expect_checks("figures");
    figure(guest.figure("pty_read").median, "instructions a byte");
}
