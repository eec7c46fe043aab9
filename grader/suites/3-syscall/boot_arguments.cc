// Lab 3, what the program gives and gets back: arguments, numbers, registers.
#include "grader/suites/suite.h"

namespace {

const uint64_t kSeed = chosen("args_seed", 1, 1ull << 62);
const std::string kFile = Sequence(kSeed ^ 1).bytes(chosen("args_size", 20000, 60000));

// The pieces of the file that the program fetches through every argument position; it draws
// the same sequence (user/tests/3-syscall/calls/main.cc).
std::string expected_hash() {
    Sequence sequence(kSeed);
    std::string pieces;
    for (int i = 0; i < 64; ++i) {
        uint64_t offset = sequence.below(kFile.size());
        uint64_t length = 1 + sequence.below(std::min<uint64_t>(5000, kFile.size() - offset));
        pieces += kFile.substr(offset, length);
    }
    char text[20];
    snprintf(text, sizeof text, "%016lx", hash_of(pieces));
    return text;
}

}  // namespace

#define ARGS_TEST(name) \
    GUEST_TEST(Arguments, name, .run = "/tests/3-syscall/calls", .cpus = 2, \
               .data = {{"args", kFile}, {"args_seed", std::to_string(kSeed)}})

ARGS_TEST(six_arguments_arrive) {
    EXPECT_EQ(guest.text("args_hash"), expected_hash())
        << "what the program read through four system calls is not what the file holds";
    guest.expect_checks("arguments");
}

ARGS_TEST(registers_are_kept) { guest.expect_checks("registers"); }

ARGS_TEST(numbers_are_64_bits) { guest.expect_checks("numbers"); }

ARGS_TEST(fs_and_gs_bases_are_kept) { guest.expect_checks("bases"); }

ARGS_TEST(trap_flag_stays_in_user_mode) { guest.expect_checks("traps"); }

// On Bochs, four CPUs: what the program does is the same. It shares the boot of boot_budget.cc.
GUEST_TEST(Arguments, registers_are_kept_on_bochs, .run = "/tests/3-syscall/calls",
           .machine = "bochs-smp", .cpus = 4,
           .data = {{"args", kFile}, {"args_seed", std::to_string(kSeed)}}, .limit = 120) {
    guest.expect_checks("registers");
    EXPECT_EQ(guest.text("args_hash"), expected_hash());
}
