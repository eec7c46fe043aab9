// Lab 2, what programs see of their memory: copy on write, changes of mappings, the edges of
// user space, shortage. The programs are in user/tests/2-paging; what they must come to is
// worked out here, from data chosen here.
#include "grader/suites/suite.h"

namespace {

constexpr size_t kPage = 4096;

std::string hex(std::string_view bytes) {
    char text[24];
    snprintf(text, sizeof text, "%#lx", hash_of(bytes));
    return text;
}

// ---- copy on write ----

const uint64_t kCowSeed = chosen("cow_seed", 1, 1ull << 60);
const uint64_t kCowPages = chosen("cow_pages", 30, 90);
const std::string kBlob = Sequence(kCowSeed ^ 77).bytes(6 * kPage + chosen("blob_more", 1, 999));

// The changes that cow.cc makes to its memory for a seed.
std::string edited(std::string memory, uint64_t seed) {
    Sequence sequence(seed);
    for (int i = 0; i < 300; ++i) {
        uint64_t at = sequence.below(memory.size());
        memory[at] = static_cast<char>(sequence.next() >> 24);
    }
    return memory;
}

}  // namespace

#define COW_TEST(name)                                                             \
    GUEST_TEST(Cow, name, .run = "/tests/2-paging/cow", .cpus = 4,                 \
               .data = {{"cow_seed", std::to_string(kCowSeed)},                    \
                        {"cow_pages", std::to_string(kCowPages)}, {"blob", kBlob}}, \
               .limit = 40)

COW_TEST(parent_and_children_are_isolated) {
    std::string before = Sequence(kCowSeed).bytes(kCowPages * kPage);
    std::string child = edited(before, kCowSeed ^ 1);
    EXPECT_EQ(guest.text("child_before"), hex(before))
        << "the child does not see what its parent had at the fork: did the parent write on "
           "through its old TLB entries, or into the shared page?";
    EXPECT_EQ(guest.text("grandchild"), hex(edited(child, kCowSeed ^ 2)))
        << "the grandchild does not see its parent's changes and its own";
    EXPECT_EQ(guest.text("child_after"), hex(child))
        << "the child sees what its own child or its parent wrote";
    EXPECT_EQ(guest.text("parent"), hex(edited(before, kCowSeed ^ 3)))
        << "the parent sees what its children wrote, or lost its own changes";
    guest.expect_checks("isolation");
}

COW_TEST(read_only_memory_stays_read_only) { guest.expect_checks("readonly"); }
COW_TEST(the_kernel_copies_before_it_writes) { guest.expect_checks("copyout"); }
COW_TEST(private_mappings_never_change_the_file) { guest.expect_checks("files"); }
COW_TEST(other_threads_see_the_copy) { guest.expect_checks("threads"); }

// ---- changes of mappings ----

#define STALE_TEST(name, ...)                                      \
    GUEST_TEST(Stale, name, .run = "/tests/2-paging/stale", __VA_ARGS__, \
               .data = {{"stale_seed", std::to_string(chosen("stale_seed", 1, 1ull << 60))}}, \
               .limit = 40)

STALE_TEST(the_user_sees_every_change_at_once, .cpus = 4) { guest.expect_checks("user"); }
STALE_TEST(the_kernel_sees_it_too, .cpus = 4) { guest.expect_checks("kernel"); }
STALE_TEST(and_so_do_threads_on_other_cpus, .cpus = 4) { guest.expect_checks("threads"); }

// QEMU keeps translations of user and kernel mode apart and so hides a stale one; Bochs, like
// a CPU, does not.
STALE_TEST(no_stale_entries_on_bochs, .machine = "bochs-smp", .cpus = 4) {
    guest.expect_checks();
}

// ---- the edges ----

namespace {
const uint64_t kBoundsSeed = chosen("bounds_seed", 1, 1ull << 60);
}

#define BOUNDS_TEST(name)                                              \
    GUEST_TEST(Bounds, name, .run = "/tests/2-paging/bounds", .cpus = 4, \
               .data = {{"bounds_seed", std::to_string(kBoundsSeed)}}, .limit = 40)

BOUNDS_TEST(what_is_not_the_users_is_refused) { guest.expect_checks("pointers"); }
BOUNDS_TEST(ranges_of_any_length) { guest.expect_checks("ranges"); }
BOUNDS_TEST(pages_at_the_borders_of_tables) {
    constexpr size_t kBorders = 8;
    EXPECT_EQ(guest.text("sparse_hash"),
              hex(Sequence(kBoundsSeed).bytes(kBorders * 2 * kPage)))
        << "pages around the borders of tables do not hold what was written to them";
    guest.expect_checks("sparse");
}

// ---- races ----

GUEST_TEST(Race, cow_pages_on_four_cpus, .run = "/tests/2-paging/race", .cpus = 4,
           .data = {{"race_rounds", std::to_string(chosen("race_rounds", 30, 45))}},
           .limit = 60) {
    guest.expect_checks();
}

GUEST_TEST(Race, cow_pages_in_lockstep, .run = "/tests/2-paging/race", .machine = "bochs-smp",
           .cpus = 4, .data = {{"race_rounds", "8"}}, .limit = 120) {
    guest.expect_checks();
}

// ---- shortage ----

namespace {
const uint64_t kDepth = chosen("bomb_depth", 5, 6);
const std::string kPattern = std::to_string(chosen("pattern", 1, 1ull << 62));
}  // namespace

#define SHORTAGE_TEST(name)                                            \
    GUEST_TEST(Shortage, name, .run = "/tests/2-paging/shortage",      \
               .data = {{"bomb_depth", std::to_string(kDepth)}, {"pattern", kPattern}}, \
               .limit = 60, .memory_mib = 48)

SHORTAGE_TEST(recycled_frames_are_zero) {
    EXPECT_GE(guest.number("zero_pages"), 4000u)
        << "of 48 MiB hardly anything was free: are frames given back?";
    guest.expect_checks("zero");
}
SHORTAGE_TEST(out_of_memory_ends_one_process_only) { guest.expect_checks("oom"); }
SHORTAGE_TEST(a_tree_of_processes_runs_whole) {
    for (const std::string& count : guest.all("bomb_processes"))
        EXPECT_EQ(count, std::to_string((2u << kDepth) - 1)) << "processes of the tree that ran";
    EXPECT_EQ(guest.all("bomb_processes").size(), 3u) << "rounds that came to their end";
    guest.expect_checks("bomb");
}
SHORTAGE_TEST(no_frame_is_lost) { guest.expect_checks("frames"); }
