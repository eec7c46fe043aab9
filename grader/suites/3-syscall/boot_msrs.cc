// Lab 3, the MSRs of SYSCALL on each CPU, read by the host right after syscall_init_cpu has
// returned there; and the storm of calls on all CPUs, which shares the boot.
#include <set>

#include "grader/suites/suite.h"

namespace {

constexpr int kCpus = 4;
constexpr uint32_t kEfer = 0xc0000080, kStar = 0xc0000081, kLstar = 0xc0000082,
                   kSfmask = 0xc0000084;
constexpr double kPatience = 30;  // seconds until a CPU is set up

// SYSCALL's selectors: kernel CS 8. SYSRETQ's: 0x18 with RPL 3, so SS 0x23 and CS 0x2b
// (kernel/arch/asm_offsets.h).
constexpr uint64_t kSyscallCs = 0x08, kSysretBase = 0x1b;
constexpr uint64_t kSfmaskBits = 0x47700;  // AC NT IOPL DF IF TF

std::string of_cpu(int cpu, const char* what) {
    return "cpu" + std::to_string(cpu) + "." + what;
}

void read_all(Inspection& look, int cpu) {
    look.numbers[of_cpu(cpu, "efer")] = look.machine.read_msr(cpu, kEfer);
    look.numbers[of_cpu(cpu, "star")] = look.machine.read_msr(cpu, kStar);
    look.numbers[of_cpu(cpu, "lstar")] = look.machine.read_msr(cpu, kLstar);
    look.numbers[of_cpu(cpu, "sfmask")] = look.machine.read_msr(cpu, kSfmask);
}

// Follows each CPU from the start of syscall_init_cpu to where it returns. The boot CPU comes
// first; the others come together, and a stop may find several of them at the same place.
class Start {
  public:
    explicit Start(Inspection& look)
        : look_(look), init_(look.symbols.address("_Z16syscall_init_cpuv")) {}

    void watch() {
        look_.numbers["entry"] = look_.symbols.address("syscall_entry");
        uint64_t next = init_;
        while (seen_.size() < kCpus && look_.machine.run_to(next, kPatience) >= 0) {
            uint64_t back = look_at_all();
            // The boot CPU's way back may differ from the others', so those are met at init.
            next = back != 0 ? back : seen_.size() == 1 ? init_ : next;
        }
    }

  private:
    // Reads the MSRs of every CPU that has just returned. Where one that stands at the start
    // will return to, else 0.
    uint64_t look_at_all() {
        uint64_t back = 0;
        for (const CpuState& cpu : look_.machine.cpus()) {
            if (cpu.rip == init_) {
                look_.machine.read_virtual(cpu.id, cpu.rsp, &back, sizeof back);
                returns_.insert(back);
            } else if (returns_.contains(cpu.rip)) {
                if (seen_.insert(cpu.id).second) read_all(look_, cpu.id);
                look_.machine.step(cpu.id);  // off the breakpoint
            }
        }
        return back;
    }

    Inspection& look_;
    uint64_t init_;
    std::set<int> seen_;
    std::set<uint64_t> returns_;
};

void watch_cpus_start(Inspection& look) { Start(look).watch(); }

void storm_of_nmis(Inspection& look) {
    constexpr int kNmis = 300;
    look.machine.resume();
    for (int i = 0; i < kNmis; ++i) {
        look.machine.inject_nmi();
        sleep_seconds(0.002);
    }
}

// One line for each CPU whose MSR is wrong.
template <typename Right>
void expect_msr(const Guest& guest, const char* name, const std::string& expected,
                Right&& right) {
    for (int cpu = 0; cpu < kCpus; ++cpu) {
        auto found = guest.seen_numbers.find(of_cpu(cpu, name));
        if (found == guest.seen_numbers.end()) {
            ADD_FAILURE() << "CPU " << cpu << " did not come out of syscall_init_cpu\n"
                          << guest.diagnosis;
        } else if (!right(found->second)) {
            char value[20];
            snprintf(value, sizeof value, "%#lx", found->second);
            ADD_FAILURE() << "CPU " << cpu << ": " << name << " is " << value << ", expected "
                          << expected;
        }
    }
}

}  // namespace

#define STORM_PROGRAM                                                                     \
    .run = "/tests/3-syscall/calls storm", .cpus = kCpus, .limit = 40,                    \
    .inspect = storm_of_nmis, .at_reset = watch_cpus_start

GUEST_CRASH_TEST(Msr, efer_enables_syscall_on_every_cpu, STORM_PROGRAM) {
    expect_msr(guest, "efer", "bit 0 (SCE) set", [](uint64_t efer) { return (efer & 1) != 0; });
}

GUEST_CRASH_TEST(Msr, lstar_is_syscall_entry_on_every_cpu, STORM_PROGRAM) {
    uint64_t entry = guest.seen("entry");
    expect_msr(guest, "lstar", "the address of syscall_entry",
               [entry](uint64_t lstar) { return lstar == entry; });
}

GUEST_CRASH_TEST(Msr, star_holds_both_selector_bases_on_every_cpu, STORM_PROGRAM) {
    expect_msr(guest, "star",
               "0x1b in bits 63..48 (SYSRETQ: SS is that + 8, CS that + 16, and AMD CPUs take "
               "RPL 3 from here) and 8 in bits 47..32",
               [](uint64_t star) {
                   return star >> 48 == kSysretBase && (star >> 32 & 0xffff) == kSyscallCs;
               });
}

GUEST_CRASH_TEST(Msr, sfmask_clears_what_a_program_may_have_set, STORM_PROGRAM) {
    expect_msr(guest, "sfmask", "at least 0x47700: TF, IF, DF, IOPL, NT, AC",
               [](uint64_t mask) { return (mask & kSfmaskBits) == kSfmaskBits; });
}

GUEST_TEST(Storm, registers_survive_preemption_and_nmis, STORM_PROGRAM) {
    guest.expect_checks("storm");
    EXPECT_EQ(guest.number("storm_cpus"), kCpus);
}
