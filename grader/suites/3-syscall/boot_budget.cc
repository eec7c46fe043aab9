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

}  // namespace

GUEST_TEST(Budget, null_call, .run = "/tests/3-syscall/nullcall", .machine = "qemu-icount",
           .data = {{"nullcall_calls", kCalls}}) {
    judge_null_call(guest);
}

GUEST_TEST(Budget, null_call_on_bochs, .run = "/tests/3-syscall/nullcall",
           .machine = "bochs-smp", .cpus = 4, .data = {{"nullcall_calls", kCalls}},
           .limit = 120) {
    judge_null_call(guest);
}
