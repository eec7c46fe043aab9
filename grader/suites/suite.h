// How a lab's suite is written.
//
// A lab has tests of three kinds, all GoogleTest, told apart by their file's name in
// grader/suites/N-name/:
//
//   unit_*.cc   host tests of units that need no hardware; built with ASan and UBSan, linked
//               with the units under test (suite.mk lists them) instead of this header.
//               Plain TEST(Suite, name). tsan_*.cc: the same with TSan, for lock-free code.
//   boot_*.cc   booted tests: a program runs in the guest, and the host judges what it
//               reported, or what the host itself saw in the machine. GUEST_TEST, below.
//
// Every test needs an entry in grader/rubric/N-name.toml, by its name "Suite.name": points,
// machine, threshold, hint. `mello grade` refuses tests without one and entries without a
// test. Thresholds stand there and never here: a test reports `figure(...)`.
//
// A booted test in full:
//
//   GUEST_TEST(Syscall, six_arguments_arrive,
//              .run = "/tests/3-syscall/calls",
//              .data = {{"args_seed", std::to_string(kSeed)}}) {
//       EXPECT_EQ(guest.number("args_hash"), expected_hash(kSeed));
//   }
//
// The program comes from user/tests/3-syscall/calls/main.cc, which uses user/tests/lib/report.h:
// report("args_hash", "%#lx", hash) there is guest.number("args_hash") here. Lines carry a
// key that is new in each run, so nothing else can be taken for a result. Still, ask for
// answers that can only be had by doing the work on data chosen here (`chosen`), or look
// into the machine (.inspect): code in ring 0 can read the key.
//
// Tests of the same machine and number of CPUs share one boot: their programs run one after
// the other in it, and tests with the same program and data share one run. When a program
// crashes or hangs the machine, its test fails with the diagnosis, and the rest goes on in
// a new boot. So the order of tests does not matter, and one hang costs one test.
#pragma once
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "grader/lib/guest.h"
#include "grader/lib/inspector.h"

// A number chosen by the host for this run, the same at every call with the same name;
// printed on failure and repeated by `make grade SEED=...`.
uint64_t chosen(const std::string& name, uint64_t low, uint64_t high);

// user/tests/lib/report.h has the same two, so that both sides can make the same data.
uint64_t hash_of(std::string_view bytes);  // FNV-1a, 64 bits
class Sequence {                           // splitmix64
  public:
    explicit Sequence(uint64_t seed) : state_(seed) {}
    uint64_t next();
    uint64_t below(uint64_t limit) { return next() % limit; }
    std::string bytes(size_t size);

  private:
    uint64_t state_;
};

// What the host found in a machine that stood still while the program waited in
// wait_for_host(). Facts are kept by name for the test bodies.
struct Inspection {
    Inspector& machine;
    CpuState cpu;   // the CPU that runs the waiting program
    uint64_t flag;  // where the program waits: a 1 written there lets it go on
    const Symbols& symbols;
    std::map<std::string, uint64_t>& numbers;
    std::map<std::string, std::string>& texts;
};

// A program to run in the guest, and where.
struct GuestProgram {
    std::string run;                     // a shell command line
    std::string machine = "qemu-wall";   // qemu-wall, qemu-icount, bochs-smp
    int cpus = 1;
    std::map<std::string, std::string> data = {};  // files in /run/mello/data
    double limit = 20;                   // seconds of progress until it counts as hung
    std::string cpu_model = "max";
    int memory_mib = 256;
    MachineSpec::BootPath boot = MachineSpec::BootPath::Pvh;
    std::string kernel_arguments = {};
    bool alone = false;                  // in a boot of its own
    // Called while the machine is stopped, when the program calls wait_for_host("inspect").
    // QEMU only. Let no measured program wait: stopping costs guest time.
    std::function<void(Inspection&)> inspect = {};
    // Called before the machine's first instruction (`cpu` and `flag` mean nothing yet), to
    // prepare its memory or to stop it on the way up with run_to. QEMU only. What it finds is
    // kept even when the kernel does not come to the first program.
    void (*at_reset)(Inspection&) = nullptr;
};

struct GuestFigure {
    double median, smallest, largest, p95, deviation;
    int repetitions;
};

// The run of one program, as the host saw it.
class Guest {
  public:
    // Each ends the test with a failure when the program did not report `name`.
    std::string text(const std::string& name) const;
    uint64_t number(const std::string& name) const;  // decimal or 0x...
    GuestFigure figure(const std::string& name) const;  // of report_figure
    std::vector<std::string> all(const std::string& name) const;  // in order; may be empty
    bool reported(const std::string& name) const;
    // What .inspect found.
    uint64_t seen(const std::string& name) const;
    std::string seen_text(const std::string& name) const;

    // The checks of user/tests/lib/check.h: fails the test for each that failed, and when
    // the program did not come to its end. `group`: only checks of this group
    // ("registers" for "registers.rcx").
    void expect_checks(const std::string& group = "") const;

    // How the program ended, as a shell says it.
    int status = -1;
    Outcome outcome = Outcome::Infra;
    std::string out, err;       // what it printed
    std::string console;        // what the kernel printed in this boot up to its end
    std::string diagnosis;
    std::vector<std::pair<std::string, std::string>> reports;
    std::map<std::string, uint64_t> seen_numbers;
    std::map<std::string, std::string> seen_texts;
};

// Reports a measured figure; the rubric's max or min for this test judges it.
void figure(double value, const std::string& unit = "");
// Ends the test now with this verdict and reason.
[[noreturn]] void stop_test(const char* verdict, const std::string& reason);

// ---- how GUEST_TEST works ----

class GuestRegistration {
  public:
    GuestRegistration(const char* suite, const char* name, GuestProgram program);
};
// Runs the program of the current test (and those that share its boot) unless that is done;
// ends the test when the machine crashed or hung under it.
const Guest& guest_of_current_test();

#define GUEST_TEST(suite, name, ...)                                                  \
    static const GuestRegistration registration_##suite##_##name(#suite, #name,       \
                                                                 GuestProgram{__VA_ARGS__}); \
    static void body_##suite##_##name(const Guest& guest);                            \
    TEST(suite, name) { body_##suite##_##name(guest_of_current_test()); }             \
    static void body_##suite##_##name([[maybe_unused]] const Guest& guest)

// A test whose program is expected to bring the machine down (a panic that must be reported
// well, say): the body looks at guest.outcome itself.
#define GUEST_CRASH_TEST(suite, name, ...)                                            \
    static const GuestRegistration registration_##suite##_##name(#suite, #name,       \
                                                                 GuestProgram{__VA_ARGS__}); \
    static void body_##suite##_##name(const Guest& guest);                            \
    TEST(suite, name) { body_##suite##_##name(crashed_guest_of_current_test()); }     \
    static void body_##suite##_##name([[maybe_unused]] const Guest& guest)
const Guest& crashed_guest_of_current_test();

// The kernel under test (its ELF file), for tests that look at the image.
fs::path kernel_under_test();
