// Lab 3, what a system call costs: exact figures of deterministic machines.
#include "grader/suites/suite.h"

namespace {

const std::string kCalls = std::to_string(chosen("nullcall_calls", 800, 1600));

// The program's own figure must agree with the raw time it gave, less the loop of three or
// four instructions around each call: a figure cannot be made up apart from its raw data.
void judge_null_call(const Guest& guest) {
    guest.expect_checks();
    GuestFigure call = guest.figure("nullcall");
    unsigned long ticks = 0, calls = 0;
    ASSERT_EQ(sscanf(guest.text("nullcall_raw").c_str(), "%lu %lu", &ticks, &calls), 2);
    EXPECT_EQ(std::to_string(calls), kCalls) << "the program did not make the calls it was told";
    double raw = static_cast<double>(ticks) / static_cast<double>(calls);
    EXPECT_NEAR(raw - call.median, 4, 2) << "the figure does not follow from the raw time";
    EXPECT_GE(call.repetitions, 10);
    figure(call.median, "instructions");
}

constexpr uint64_t kTransfers = 2000;
const uint64_t kLatencySeed = chosen("latency_seed", 1, 1ull << 62);
const std::string kLatencyCalls = std::to_string(chosen("latency_calls", 500, kTransfers));
const std::string kLatencyFile = Sequence(kLatencySeed).bytes(65536);

// The figures of a program that moved the right bytes.
double judge_transfer(const Guest& guest, const char* name) {
    guest.expect_checks();
    std::string bytes = kLatencyFile.substr(0, std::stoul(kLatencyCalls)) + kLatencyFile;
    char hash[20];
    snprintf(hash, sizeof hash, "%016lx", hash_of(bytes));
    EXPECT_EQ(guest.text("latency_hash"), hash)
        << "other bytes came out of the pipe and the file than went in";
    GuestFigure result = guest.figure(name);
    EXPECT_GE(result.repetitions, 10);
    return result.median;
}

// Of one-byte calls: the figure must agree with the raw times.
void judge_one_byte(const Guest& guest, const char* name, bool write) {
    double median = judge_transfer(guest, name);
    unsigned long writes = 0, reads = 0, calls = 0;
    ASSERT_EQ(sscanf(guest.text("latency_raw").c_str(), "%lu %lu %lu", &writes, &reads, &calls), 3);
    EXPECT_EQ(std::to_string(calls), kLatencyCalls);
    double raw = static_cast<double>(write ? writes : reads) / static_cast<double>(calls);
    EXPECT_NEAR(raw, median, 0.02) << "the figure does not follow from the raw time";
    figure(median, "instructions");
}

}  // namespace

#define LATENCY_PROGRAM                                                      \
    .run = "/tests/3-syscall/latency", .machine = "qemu-icount",             \
    .data = {{"latency_calls", kLatencyCalls}, {"latency", kLatencyFile}}

GUEST_TEST(Budget, write_of_one_byte, LATENCY_PROGRAM) { judge_one_byte(guest, "write1", true); }

GUEST_TEST(Budget, read_of_one_byte, LATENCY_PROGRAM) { judge_one_byte(guest, "read1", false); }

GUEST_TEST(Budget, copy_to_user, LATENCY_PROGRAM) {
    figure(judge_transfer(guest, "copy_out"), "instructions a KiB");
}

GUEST_TEST(Budget, copy_from_user, LATENCY_PROGRAM) {
    figure(judge_transfer(guest, "copy_in"), "instructions a KiB");
}

GUEST_TEST(Budget, null_call, .run = "/tests/3-syscall/nullcall", .machine = "qemu-icount",
           .data = {{"nullcall_calls", kCalls}}) {
    judge_null_call(guest);
}

GUEST_TEST(Budget, null_call_on_bochs, .run = "/tests/3-syscall/nullcall",
           .machine = "bochs-smp", .cpus = 4, .data = {{"nullcall_calls", kCalls}},
           .limit = 120) {
    judge_null_call(guest);
}
