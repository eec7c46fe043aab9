// Lab 2, figures of deterministic machines: what a fork costs, what a frame costs, how often
// CPUs wait for each other. Limits stand in the rubric.
#include "grader/suites/suite.h"

namespace {

const uint64_t kSpawnSeed = chosen("spawn_seed", 1, 1ull << 60);

void judge_spawn(const Guest& guest) {
    guest.expect_checks();
    char hash[24];
    snprintf(hash, sizeof hash, "%#lx", hash_of(Sequence(kSpawnSeed).bytes(8 << 20)));
    EXPECT_EQ(guest.text("memory_hash"), hash) << "the parent's 8 MiB changed";
    GuestFigure spawn = guest.figure("spawn");
    unsigned long sum = 0, count = 0;
    ASSERT_EQ(sscanf(guest.text("spawn_raw").c_str(), "%lu %lu", &sum, &count), 2);
    EXPECT_GE(count, 10u);
    double mean = static_cast<double>(sum) / static_cast<double>(count);
    EXPECT_NEAR(mean, spawn.median, spawn.median / 10)
        << "the figure does not follow from the raw times";
    figure(spawn.median / 1e6, "ms");
}

}  // namespace

// Two limits on one figure: the target, and one that no copy of 8 MiB can meet.
#define SPAWN_TEST(name)                                                                     \
    GUEST_TEST(Figures, name, .run = "/tests/2-paging/spawn", .machine = "qemu-icount",      \
               .data = {{"spawn_seed", std::to_string(kSpawnSeed)}}, .limit = 60)

SPAWN_TEST(spawn) { judge_spawn(guest); }
SPAWN_TEST(spawn_copies_nothing) { judge_spawn(guest); }

GUEST_TEST(Figures, page_alloc, .run = "/tests/2-paging/alloc", .machine = "qemu-icount") {
    guest.expect_checks();
    GuestFigure alloc = guest.figure("alloc");
    EXPECT_GE(alloc.repetitions, 10);
    figure(alloc.median, "ns");
}

GUEST_TEST(Figures, frame_lock_waits, .run = "/tests/2-paging/contention",
           .machine = "bochs-smp", .cpus = 4, .limit = 120) {
    guest.expect_checks();
    figure(static_cast<double>(guest.number("frame_lock_waits")), "waits");
}
