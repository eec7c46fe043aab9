// Lab 4, what scheduling costs: exact figures of deterministic machines.
#include "grader/suites/suite.h"

namespace {

// ---- One CPU, qemu-icount ----

const std::string kSwitches = std::to_string(chosen("cost_switches", 800, 1500));
const std::string kChunks = std::to_string(chosen("cost_chunks", 9000, 12000));

#define COST_TEST(name)                                                              \
    GUEST_TEST(Cost, name, .run = "/tests/4-sched/cost", .machine = "qemu-icount",   \
               .data = {{"cost_switches", kSwitches}, {"cost_chunks", kChunks}}, .limit = 40)

double judge_figure(const Guest& guest, const char* name) {
    guest.expect_checks("cost");
    GuestFigure result = guest.figure(name);
    EXPECT_GE(result.repetitions, 10);
    return result.median;
}

}  // namespace

COST_TEST(switch_between_threads) {
    double median = judge_figure(guest, "switch_yield");
    unsigned long ticks = 0, switches = 0;
    ASSERT_EQ(sscanf(guest.text("cost_raw").c_str(), "%lu %lu", &ticks, &switches), 2);
    EXPECT_EQ(switches, 2 * std::stoul(kSwitches));
    EXPECT_NEAR(static_cast<double>(ticks) / static_cast<double>(switches), median, 0.02)
        << "the figure does not follow from the raw time";
    figure(median, "instructions");
}

COST_TEST(switch_through_pipes) { figure(judge_figure(guest, "switch_pipe"), "instructions"); }

COST_TEST(ticks_at_1_khz) {
    unsigned long whole = 0, chunks = 0, smallest = 0, timer_ticks = 0;
    ASSERT_EQ(sscanf(guest.text("tick_raw").c_str(), "%lu %lu %lu %lu", &whole, &chunks, &smallest,
                     &timer_ticks),
              4);
    double net = static_cast<double>(smallest) * static_cast<double>(chunks);
    // One tick a million instructions.
    double expected = static_cast<double>(whole) / 1e6;
    EXPECT_GE(static_cast<double>(timer_ticks), expected * 0.95)
        << "the tick did not come 1000 times a second: cheap, but no tick";
    EXPECT_EQ(std::to_string(chunks), kChunks);
    figure((static_cast<double>(whole) / net - 1) * 100, "%");
}

// ---- Four CPUs, bochs-smp: one boot and one program for all ----

namespace {

const uint64_t kSeed = chosen("smp_seed", 1, 1ull << 62);
const std::string kYields = std::to_string(chosen("smp_yields", 280, 320));

// As /tests/4-sched/smp computes it.
uint64_t work(unsigned threads) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < threads; ++i) {
        Sequence sequence(kSeed + i);
        for (int n = 0; n < 250'000; ++n) sum += sequence.next();
    }
    return sum;
}

double scaling_ticks(const Guest& guest, unsigned threads) {
    unsigned long ticks = 0, sum = 0;
    std::string text = guest.text("scaling_" + std::to_string(threads));
    EXPECT_EQ(sscanf(text.c_str(), "%lu %lu", &ticks, &sum), 2);
    EXPECT_EQ(sum, work(threads)) << "the threads computed something else";
    return static_cast<double>(ticks);
}

// Of all n CPUs' time, the share that went into the work: 1 is linear.
void judge_scaling(const Guest& guest, unsigned threads) {
    figure(scaling_ticks(guest, 1) / scaling_ticks(guest, threads), "of linear");
}

// "N CALLS" as N per call.
double ratio(const Guest& guest, const char* name) {
    unsigned long count = 0, calls = 0;
    EXPECT_EQ(sscanf(guest.text(name).c_str(), "%lu %lu", &count, &calls), 2);
    return static_cast<double>(count) / static_cast<double>(calls);
}

}  // namespace

// The kernel there believes that 5,000 instructions are a millisecond; 5 ticks a second are
// one every million instructions.
#define SMP_TEST(name)                                                               \
    GUEST_TEST(Smp, name, .run = "/tests/4-sched/smp", .machine = "bochs-smp", .cpus = 4, \
               .data = {{"smp_seed", std::to_string(kSeed)}, {"smp_yields", kYields}}, \
               .limit = 120, .kernel_arguments = "tick_hz=5")

SMP_TEST(two_cpus_do_twice_the_work) { judge_scaling(guest, 2); }

SMP_TEST(four_cpus_do_four_times_the_work) { judge_scaling(guest, 4); }

SMP_TEST(run_queue_lock_waits) { figure(ratio(guest, "lock_waits") * 1000, "waits in 1000 yields"); }

SMP_TEST(unmap_of_64_pages) {
    GuestFigure result = guest.figure("shoot_ticks");
    EXPECT_GE(result.repetitions, 10);
    figure(result.median / 1000, "us");
}

SMP_TEST(one_interrupt_a_cpu_concerned) { figure(ratio(guest, "shoot_ipis"), "interrupts"); }

SMP_TEST(no_interrupt_for_others) { figure(ratio(guest, "shoot_ipis_one"), "interrupts"); }

SMP_TEST(wake_up_goes_to_an_idle_cpu) {
    figure(guest.figure("wake_idle").median / 1000, "us");
}

// The same rounds as on QEMU, with CPUs in step: what shows there in one run of many shows
// here in every run or never.
GUEST_TEST(Smp, no_stale_translation_on_bochs, .run = "/tests/4-sched/stale",
           .machine = "bochs-smp", .cpus = 4,
           .data = {{"stale_seed", std::to_string(kSeed)}, {"stale_rounds", "40"}},
           .limit = 120, .kernel_arguments = "tick_hz=5") {
    guest.expect_checks("stale");
    EXPECT_EQ(guest.number("stale_rounds"), 40u);
    for (const char* kind : {"stale_unmap", "stale_protect"}) {
        EXPECT_EQ(guest.number(kind), 0u)
            << kind << ": writes of other CPUs that went through after the call had returned";
    }
}
