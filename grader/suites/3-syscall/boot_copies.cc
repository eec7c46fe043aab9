// Lab 3, user memory as system calls see it.
#include "grader/suites/suite.h"

namespace {

const uint64_t kSeed = chosen("copies_seed", 1, 1ull << 62);
const std::string kFile = Sequence(kSeed ^ 2).bytes(chosen("copies_size", 9000, 40000));

// As user/tests/3-syscall/copies.cc draws them.
std::string expected_hash() {
    Sequence sequence(kSeed);
    std::string pieces;
    for (size_t i = 0; i < 600; ++i) {
        pieces += kFile.substr(sequence.below(kFile.size() - 300), i % 301);
        sequence.below(64);
        sequence.below(64);
    }
    char text[20];
    snprintf(text, sizeof text, "%016lx", hash_of(pieces));
    return text;
}

}  // namespace

#define COPIES_TEST(name)                                             \
    GUEST_TEST(Copies, name, .run = "/tests/3-syscall/copies", .cpus = 2, \
               .data = {{"copies", kFile}, {"copies_seed", std::to_string(kSeed)}})

COPIES_TEST(every_size_and_alignment) {
    EXPECT_EQ(guest.text("copies_hash"), expected_hash())
        << "what went through user memory is not what the file holds";
    guest.expect_checks("sizes");
}

COPIES_TEST(a_partly_mapped_buffer_takes_what_fits) { guest.expect_checks("partial"); }

COPIES_TEST(bad_addresses_give_efault) { guest.expect_checks("addresses"); }

COPIES_TEST(copies_respect_copy_on_write) { guest.expect_checks("cow"); }

COPIES_TEST(strings_end_where_they_end) { guest.expect_checks("strings"); }
