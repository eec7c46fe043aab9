// Lab 4, what CPUs do to each other: TLB shootdown, storms of everything at once, and what
// the host sees of the CPUs when there is nothing to do.
#include "grader/suites/suite.h"

namespace {

std::string on_cpu(int cpu, const char* what) { return what + std::to_string(cpu); }

// ---- /tests/4-sched/stale ----

const std::string kStaleSeed = std::to_string(chosen("stale_seed", 1, 1ull << 62));
const std::string kStaleRounds = std::to_string(chosen("stale_rounds", 100, 140));

void judge_stale(const Guest& guest, const char* what, const char* meaning) {
    guest.expect_checks("stale");
    EXPECT_EQ(guest.text("stale_rounds"), kStaleRounds);
    uint64_t stale = guest.number(what);
    std::string first = guest.reported("stale_first")
                            ? " (round, CPU, page of the first: " + guest.text("stale_first") + ")"
                            : "";
    EXPECT_EQ(stale, 0u) << meaning << first;
}

// ---- /tests/4-sched/storm ----

const uint64_t kStormSeed = chosen("storm_seed", 1, 1ull << 62);
constexpr uint64_t kLines = 4;

uint64_t storm_value(uint64_t kind, uint64_t line, uint64_t round) {
    return Sequence(kStormSeed + kind * 1000003 + line * 10007 + round).next();
}

std::string storm_sum(uint64_t kind, uint64_t rounds, uint64_t times) {
    uint64_t sum = 0;
    for (uint64_t line = 0; line < kLines; ++line) {
        for (uint64_t round = 0; round < rounds; ++round) {
            sum += storm_value(kind, line, round) * times;
        }
    }
    return hex(sum);
}

void judge_storm(const Guest& guest, uint64_t rounds) {
    guest.expect_checks("storm");
    if (guest.reported("fail")) return;
    EXPECT_EQ(guest.text("storm_threads"), storm_sum(1, rounds, 1)) << "results of threads";
    EXPECT_EQ(guest.text("storm_processes"), storm_sum(2, rounds / 4, 1)) << "of processes";
    EXPECT_EQ(guest.text("storm_pages"), storm_sum(3, rounds, 16)) << "of pages";
    int64_t lost = strtoll(guest.text("storm_lost").c_str(), nullptr, 0);
    EXPECT_LT(lost, static_cast<int64_t>(2 * rounds))
        << "frames are gone after a second, equal storm: dead threads keep their stacks";
}

// ---- /tests/4-sched/state, from outside ----

const std::string kBlob = Sequence(chosen("state_blob", 1, 1ull << 62)).bytes(4000);

// An idle CPU may be looking into something for a moment: it gets a few.
void look(Inspection& at) {
    std::vector<CpuState> cpus;
    for (int attempt = 0; attempt < 30; ++attempt) {
        cpus = at.machine.cpus();
        size_t halted = 0;
        for (const CpuState& cpu : cpus) halted += cpu.halted ? 1 : 0;
        if (halted + 1 >= cpus.size()) break;
        at.machine.resume();
        sleep_seconds(0.01);
    }
    for (const CpuState& cpu : cpus) {
        at.numbers[on_cpu(cpu.id, "halted")] = cpu.halted ? 1 : 0;
        at.numbers[on_cpu(cpu.id, "cr0")] = cpu.cr0;
        at.numbers[on_cpu(cpu.id, "cr4")] = cpu.cr4;
        at.numbers[on_cpu(cpu.id, "efer")] = cpu.efer;
        // In user mode the kernel's base waits in KERNEL_GS_BASE for SWAPGS.
        uint64_t base = cpu.ring == 0 ? cpu.gs_base : cpu.kernel_gs_base;
        uint64_t self = 0, id = ~0ull;
        at.machine.read_virtual(cpu.id, base, &self, 8);
        at.machine.read_virtual(cpu.id, base + 32, &id, 4);
        at.numbers[on_cpu(cpu.id, "base")] = base;
        at.numbers[on_cpu(cpu.id, "self")] = self;
        at.numbers[on_cpu(cpu.id, "id")] = id & 0xffffffff;
        at.texts[on_cpu(cpu.id, "at")] = at.symbols.describe(cpu.rip);
    }
}

}  // namespace

#define STALE_TEST(name)                                                              \
    GUEST_TEST(Shootdown, name, .run = "/tests/4-sched/stale", .cpus = 4,             \
               .data = {{"stale_seed", kStaleSeed}, {"stale_rounds", kStaleRounds}},  \
               .limit = 60)

STALE_TEST(nobody_writes_after_munmap) {
    judge_stale(guest, "stale_unmap", "writes of other CPUs to unmapped pages went through");
}

STALE_TEST(nobody_writes_after_mprotect) {
    judge_stale(guest, "stale_protect", "writes of other CPUs to read-only pages went through");
}

STALE_TEST(nobody_writes_into_a_forked_child) {
    judge_stale(guest, "stale_fork", "children whose memory a thread of the parent wrote to");
}

#define STORM_TEST(name, count, rounds)                                               \
    GUEST_TEST(Storm, name, .run = "/tests/4-sched/storm", .cpus = count,             \
               .data = {{"storm_seed", std::to_string(kStormSeed)},                   \
                        {"storm_rounds", std::to_string(rounds)}},                    \
               .limit = 60) {                                                         \
        judge_storm(guest, rounds);                                                   \
    }
STORM_TEST(on_one_cpu, 1, 60)
STORM_TEST(on_two_cpus, 2, 60)
STORM_TEST(on_four_cpus, 4, 80)
STORM_TEST(on_eight_cpus, 8, 40)

#define STATE_TEST(name)                                                              \
    GUEST_TEST(State, name, .run = "/tests/4-sched/state", .cpus = 4,                 \
               .data = {{"state_blob", kBlob}}, .inspect = look)

STATE_TEST(idle_cpus_halt) {
    int halted = 0;
    std::string where;
    for (int cpu = 0; cpu < 4; ++cpu) {
        halted += guest.seen(on_cpu(cpu, "halted")) != 0 ? 1 : 0;
        where += "\n  CPU " + std::to_string(cpu) + " at " + guest.seen_text(on_cpu(cpu, "at"));
    }
    EXPECT_GE(halted, 3) << "one CPU runs the test, the others have nothing to do" << where;
    EXPECT_EQ(guest.text("state_hash"), hex(hash_of(kBlob)));
}

STATE_TEST(idle_time_is_counted) {
    uint64_t percent = guest.number("idle_percent");
    EXPECT_GE(percent, 80u) << "of four idle CPUs' time, in /proc/stat";
    EXPECT_LE(percent, 115u);
}

STATE_TEST(all_cpus_have_the_same_control_registers) {
    for (int cpu = 1; cpu < 4; ++cpu) {
        for (const char* name : {"cr0", "cr4", "efer"}) {
            EXPECT_EQ(hex(guest.seen(on_cpu(cpu, name))), hex(guest.seen(on_cpu(0, name))))
                << name << " of CPU " << cpu << " differs from the boot CPU's";
        }
    }
}

STATE_TEST(every_cpu_has_its_own_data) {
    for (int cpu = 0; cpu < 4; ++cpu) {
        uint64_t base = guest.seen(on_cpu(cpu, "base"));
        EXPECT_EQ(hex(guest.seen(on_cpu(cpu, "self"))), hex(base))
            << "CPU " << cpu << ": GS does not point at its Cpu";
        EXPECT_EQ(guest.seen(on_cpu(cpu, "id")), static_cast<uint64_t>(cpu));
    }
}
