#include "grader/lib/guest.h"

#include <gtest/gtest.h>

#include "grader/lib/fake_machine.h"
#include "grader/lib/symbols.h"

namespace {

GuestSpec spec(double limit = 5) {
    GuestSpec spec;
    spec.limit = limit;
    return spec;
}

// The probe image on a real QEMU; its "command line" says how it ends.
GuestResult probe(const std::string& argument, int cpus = 1) {
    GuestSpec real;
    real.machine.kernel = "build/probe.elf";
    real.machine.kernel_arguments = argument;
    real.machine.cpus = cpus;
    real.limit = 2;
    return run_guest(real);
}

}  // namespace

TEST(Guest, passes_on_what_the_command_prints_and_its_status) {
    FakeMachine machine({{0.00, Channel::Console, "booting\n"},
                         {0.02, Channel::Stdout, "one\n"},
                         {0.04, Channel::Stderr, "oops\n"},
                         {0.06, Channel::Stdout, "two"},
                         {0.08, Channel::Control, "exit 42\n"}},
                        0.1, Ending::PowerOff);
    std::string streamed;
    GuestEvents events;
    events.on_stdout = [&](std::string_view text) { streamed += text; };
    GuestResult result = run_guest_on(machine, spec(), events);
    EXPECT_EQ(result.outcome, Outcome::Exited);
    EXPECT_EQ(result.status, 42);
    EXPECT_EQ(result.out, "one\ntwo");
    EXPECT_EQ(streamed, result.out);
    EXPECT_EQ(result.err, "oops\n");
    EXPECT_EQ(result.console, "booting\n");
}

TEST(Guest, power_off_without_a_status_is_not_success) {
    FakeMachine machine({{0, Channel::Console, "bye\n"}}, 0.05, Ending::PowerOff);
    GuestResult result = run_guest_on(machine, spec(), {});
    EXPECT_EQ(result.outcome, Outcome::Vanished);
    EXPECT_NE(result.diagnosis.find("bye"), std::string::npos);
}

TEST(Guest, a_panic_after_the_status_is_still_a_panic) {
    FakeMachine machine({{0, Channel::Control, "exit 0\n"}, {0, Channel::Console, "PANIC x\n"}},
                        0.05, Ending::Panic);
    GuestResult result = run_guest_on(machine, spec(), {});
    EXPECT_EQ(result.outcome, Outcome::Panic);
    EXPECT_NE(result.diagnosis.find("PANIC x"), std::string::npos);
}

TEST(Guest, silence_ends_at_the_limit_with_a_diagnosis) {
    FakeMachine machine({{0, Channel::Console, "last words\n"}}, 1e9, {});
    GuestResult result = run_guest_on(machine, spec(0.2), {});
    EXPECT_EQ(result.outcome, Outcome::Timeout);
    EXPECT_NE(result.diagnosis.find("every CPU is idle"), std::string::npos);
    EXPECT_NE(result.diagnosis.find("last words"), std::string::npos);
    EXPECT_TRUE(machine.killed());
}

TEST(Guest, a_guest_that_gets_no_host_time_is_not_late) {
    // A tenth of the host's speed: 0.3 s of host time are 0.03 s of progress.
    FakeMachine machine({{0.02, Channel::Control, "exit 0\n"}}, 0.03, Ending::PowerOff, 0.1);
    EXPECT_EQ(run_guest_on(machine, spec(0.1), {}).outcome, Outcome::Exited);
}

TEST(Guest, host_time_ends_it_in_any_case) {
    FakeMachine machine({}, 1e9, {}, 0);
    GuestSpec limited = spec(1);
    limited.host_limit = 0.2;
    EXPECT_EQ(run_guest_on(machine, limited, {}).outcome, Outcome::Timeout);
}

TEST(Guest, a_half_line_of_the_control_channel_is_not_a_status) {
    FakeMachine machine({{0, Channel::Control, "exit 4"}}, 0.05, Ending::PowerOff);
    EXPECT_EQ(run_guest_on(machine, spec(), {}).outcome, Outcome::Vanished);
}

TEST(Qemu, exits_with_the_status_of_the_guest) {
    GuestResult result = probe("");
    EXPECT_EQ(result.outcome, Outcome::Exited) << result.diagnosis;
    EXPECT_EQ(result.status, 7);
}

TEST(Qemu, tells_a_panic) { EXPECT_EQ(probe("p").outcome, Outcome::Panic); }

TEST(Qemu, decodes_a_triple_fault) {
    GuestResult result = probe("r");
    EXPECT_EQ(result.outcome, Outcome::Reset);
    EXPECT_NE(result.diagnosis.find("Triple fault"), std::string::npos) << result.diagnosis;
    EXPECT_NE(result.diagnosis.find("invalid opcode"), std::string::npos) << result.diagnosis;
    EXPECT_NE(result.diagnosis.find("reset+"), std::string::npos) << result.diagnosis;
}

TEST(Qemu, tells_deadlock_from_livelock) {
    GuestResult halted = probe("h", 2);
    EXPECT_EQ(halted.outcome, Outcome::Timeout);
    EXPECT_NE(halted.diagnosis.find("deadlock"), std::string::npos) << halted.diagnosis;
    GuestResult spinning = probe("s");
    EXPECT_NE(spinning.diagnosis.find("livelock"), std::string::npos) << spinning.diagnosis;
    EXPECT_NE(spinning.diagnosis.find("spin"), std::string::npos) << spinning.diagnosis;
}
