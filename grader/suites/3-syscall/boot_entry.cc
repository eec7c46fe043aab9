// Lab 3, the way in and out, as the host sees it. The host follows one system call of a program
// (user/tests/3-syscall/calls/watch.cc) through the kernel: it stops at syscall_dispatch, looks
// at registers and frame, lets the call run, and steps from its return to the instruction
// that leaves the kernel.
//
// A second call gets a changed frame, as execve and sigreturn change it, and a third one a
// return address that is not canonical. No program can bring that about here, since the last
// page below 2^47 cannot be mapped and entry points are checked; and QEMU forgives it, where
// an Intel CPU faults in ring 0 on the user's stack. So the host writes it to the frame and
// watches which instruction the kernel leaves by.
#include <cstring>

#include "grader/suites/suite.h"

namespace {

const uint64_t kSeed = chosen("watch_seed", 1, 1ull << 62);
constexpr uint64_t kMark = 0x6d656c6c6f2d6c33;
constexpr uint64_t kNotCanonical = 1ull << 47;
constexpr int kAttempts = 8;     // calls to follow until one is not interrupted
constexpr int kMostSteps = 250;  // from syscall_dispatch's return to user mode
constexpr double kPatience = 5;  // seconds until the watched call must have come

// Numbers of registers in the gdb stub (grader/lib/gdb_client.h).
constexpr int kRcx = 2, kRdi = 5, kRsp = 7, kR11 = 11, kR15 = 15, kRip = 16, kFlags = 17,
              kGsBase = 25;
constexpr uint64_t kTf = 0x100, kIf = 0x200, kDf = 0x400, kIopl = 0x3000, kNt = 0x4000,
                   kAc = 0x40000;
constexpr uint64_t kUserFlags = 0x44603;  // what the program sets: AC NT DF IF CF

struct Frame {  // kernel/arch/traps.h
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

struct Registers {  // user/tests/3-syscall/calls/probe.h
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15;
};
Registers program_registers() {
    Registers registers;
    std::string bytes = Sequence(kSeed).bytes(sizeof registers);
    memcpy(&registers, bytes.data(), sizeof registers);
    return registers;
}

// ---- following a call ----

class Follower {
  public:
    explicit Follower(Inspection& look)
        : look_(look), machine_(look.machine),
          dispatch_(look.symbols.address("syscall_dispatch")),
          entry_(look.symbols.address("syscall_entry")),
          iretq_(look.symbols.address("trap_iretq_user")) {}

    // Until the program's call stands at the first instruction of syscall_dispatch.
    bool reach_dispatch() {
        if (!reach_entry()) return false;
        for (int i = 0; i < 500; ++i) {
            if (cpu_ >= 0) machine_.step(cpu_);  // off the breakpoint
            cpu_ = machine_.run_to(dispatch_, kPatience);
            if (cpu_ < 0) break;
            frame_at_ = reg(kRdi);
            if (!machine_.read_virtual(cpu_, frame_at_, &frame, sizeof frame)) continue;
            if (frame.r9 == kMark) return true;
        }
        complain("syscall_dispatch was not called with the frame of the program's call in RDI");
        return false;
    }

    // From there to the instruction behind the call; false when something else ran meanwhile.
    bool reach_return() {
        uint64_t stack = reg(kRsp), back = 0;
        machine_.read_virtual(cpu_, stack, &back, sizeof back);
        int cpu = machine_.run_to(back, kPatience);
        bool same = cpu == cpu_ && reg(kRsp) == stack + 8;
        if (cpu >= 0) cpu_ = cpu;
        return same;
    }

    // To SYSRET or IRETQ, which is not executed. Empty when the call went elsewhere.
    std::string reach_exit() {
        for (int i = 0; i < kMostSteps; ++i) {
            uint64_t rip = reg(kRip);
            unsigned char code[3] = {};
            machine_.read_virtual(cpu_, rip, code, sizeof code);
            if (memcmp(code, "\x48\x0f\x07", 3) == 0) return "sysretq";
            if (memcmp(code, "\x0f\x07", 2) == 0) return "sysretl";
            if (rip == iretq_ || memcmp(code, "\x48\xcf", 2) == 0) return "iretq";
            machine_.step(cpu_);
        }
        return {};
    }

    uint64_t reg(int number) { return machine_.read_register(cpu_, number); }
    uint64_t word(uint64_t address) {
        uint64_t value = 0;
        machine_.read_virtual(cpu_, address, &value, sizeof value);
        return value;
    }
    void store_frame() {
        machine_.write_space(machine_.cpu(cpu_).cr3, frame_at_, &frame, sizeof frame);
    }
    void complain(const std::string& text) { look_.texts["missing"] = text; }

    uint64_t frame_at() const { return frame_at_; }
    Frame frame{};

  private:
    bool reach_entry() {
        if (entered_) return true;
        cpu_ = machine_.run_to(entry_, kPatience);
        entered_ = cpu_ >= 0;
        if (!entered_) {
            complain("no SYSCALL of a program reached syscall_entry in 5 s; programs run, so "
                     "something else carries their calls out");
        }
        return entered_;
    }

    Inspection& look_;
    Inspector& machine_;
    uint64_t dispatch_, entry_, iretq_, frame_at_ = 0;
    int cpu_ = -1;
    bool entered_ = false;
};

// Follows calls, each with what `change` makes of its frame, until one comes to its exit
// undisturbed. What is found is kept under `prefix`.
void follow(Follower& follower, Inspection& look, const std::string& prefix,
            void (*change)(Follower&)) {
    for (int i = 0; i < kAttempts; ++i) {
        if (!follower.reach_dispatch()) return;
        change(follower);
        auto& numbers = look.numbers;
        uint64_t rsp = follower.reg(kRsp), gs = follower.reg(kGsBase);
        numbers[prefix + "entry_rsp"] = rsp;
        numbers[prefix + "entry_flags"] = follower.reg(kFlags);
        numbers[prefix + "entry_gs"] = gs;
        numbers[prefix + "entry_gs_self"] = follower.word(gs);
        numbers[prefix + "entry_stack_top"] = follower.word(gs + 16);  // CPU_KERNEL_RSP
        numbers[prefix + "frame"] = follower.frame_at();
        look.texts[prefix + "frame"] =
            std::string(reinterpret_cast<const char*>(&follower.frame), sizeof follower.frame);
        if (!follower.reach_return()) continue;
        numbers[prefix + "return_flags"] = follower.reg(kFlags);
        std::string exit = follower.reach_exit();
        if (exit.empty()) continue;
        look.texts[prefix + "exit"] = exit;
        numbers[prefix + "exit_flags"] = follower.reg(kFlags);
        numbers[prefix + "exit_gs"] = follower.reg(kGsBase);
        numbers[prefix + "exit_rsp"] = follower.reg(kRsp);
        numbers[prefix + "exit_rcx"] = follower.reg(kRcx);
        numbers[prefix + "exit_r11"] = follower.reg(kR11);
        numbers[prefix + "exit_r15"] = follower.reg(kR15);
        return;
    }
    follower.complain("no call could be followed from syscall_dispatch to SYSRETQ or IRETQ");
}

void follow_calls(Inspection& look) {
    Follower follower(look);
    follow(follower, look, "plain.", [](Follower&) {});
    if (look.texts.contains("missing")) return;
    follow(follower, look, "changed.", [](Follower& call) {
        call.frame.rcx ^= 0x5555;
        call.frame.r15 ^= 0x5555;
        call.store_frame();
    });
    if (look.texts.contains("missing")) return;
    follow(follower, look, "far.", [](Follower& call) {
        call.frame.rip = call.frame.rcx = kNotCanonical;
        call.store_frame();
    });
}

Frame frame_seen(const Guest& guest, const std::string& prefix) {
    if (guest.seen_texts.contains("missing")) {
        stop_test("FAIL", guest.seen_text("missing"));
    }
    if (!guest.seen_texts.contains(prefix + "frame") && guest.outcome != Outcome::Exited)
        stop_test(guest.outcome == Outcome::Timeout ? "TIMEOUT" : "FAIL", guest.diagnosis);
    std::string bytes = guest.seen_text(prefix + "frame");
    Frame frame;
    memcpy(&frame, bytes.data(), sizeof frame);
    return frame;
}

std::string flag_names(uint64_t flags) {
    std::string names;
    for (auto [bit, name] : {std::pair{kTf, "TF "}, {kIf, "IF "}, {kDf, "DF "}, {kNt, "NT "},
                             {kAc, "AC "}, {kIopl, "IOPL "}}) {
        if ((flags & bit) != 0) names += name;
    }
    return names.empty() ? "none" : names;
}

}  // namespace

// What was seen stands, also when the machine came down later: that is often the
// consequence, and rarely tells the cause.
#define ENTRY_TEST(name)                                                                  \
    GUEST_CRASH_TEST(Entry, name, .run = "/tests/3-syscall/calls watch", .cpus = 2,             \
               .data = {{"watch_seed", std::to_string(kSeed)}}, .limit = 60,              \
               .inspect = follow_calls)

ENTRY_TEST(the_frame_holds_every_register) {
    Frame frame = frame_seen(guest, "plain.");
    Registers program = program_registers();
    uint64_t return_address = guest.number("watch_return");
    struct {
        const char* name;
        uint64_t expected, got;
    } const rows[] = {
        {"rbx", program.rbx, frame.rbx},   {"rbp", program.rbp, frame.rbp},
        {"r12", program.r12, frame.r12},   {"r13", program.r13, frame.r13},
        {"r14", program.r14, frame.r14},   {"r15", program.r15, frame.r15},
        {"rsi", program.rsi, frame.rsi},   {"rdx", program.rdx, frame.rdx},
        {"r10", program.r10, frame.r10},   {"r8", program.r8, frame.r8},
        {"rax", 63, frame.rax},            {"error (the call's number)", 63, frame.error},
        {"vector", 0x100, frame.vector},   {"rip", return_address, frame.rip},
        {"rcx", return_address, frame.rcx}, {"rflags", kUserFlags, frame.rflags},
        {"r11", kUserFlags, frame.r11},    {"cs", 0x2b, frame.cs},
        {"ss", 0x23, frame.ss},
    };
    for (const auto& row : rows) {
        EXPECT_EQ(row.expected, row.got)
            << "TrapFrame::" << row.name << std::hex << ": expected " << row.expected << ", got "
            << row.got;
    }
    EXPECT_LT(frame.rsp, 1ull << 47) << "TrapFrame::rsp is not the program's stack pointer";
    EXPECT_EQ(guest.seen("plain.frame") + sizeof(Frame), guest.seen("plain.entry_stack_top"))
        << "the frame does not lie at the top of the thread's own kernel stack";
}

ENTRY_TEST(the_kernel_runs_with_clean_flags) {
    frame_seen(guest, "plain.");
    uint64_t flags = guest.seen("plain.entry_flags");
    EXPECT_EQ(flags & (kTf | kDf | kNt | kAc | kIopl), 0u)
        << "set in the kernel although the program chose them: "
        << flag_names(flags & (kTf | kDf | kNt | kAc | kIopl)) << "(SFMASK must clear them)";
    EXPECT_NE(flags & kIf, 0u) << "syscall_dispatch runs with interrupts off";
    uint64_t after = guest.seen("plain.return_flags");
    EXPECT_EQ(after & kAc, 0u)
        << "AC is set after a call that copied to user memory: SMAP stays off (CLAC is missing)";
    EXPECT_EQ(after & kDf, 0u) << "DF is set after the call";
}

ENTRY_TEST(the_stack_is_aligned_and_gs_is_the_kernels) {
    frame_seen(guest, "plain.");
    EXPECT_EQ(guest.seen("plain.entry_rsp") % 16, 8u)
        << "RSP must be a multiple of 16 before the call of syscall_dispatch "
           "(System V ABI, 3.2.2)";
    EXPECT_EQ(guest.seen("plain.entry_gs"), guest.seen("plain.entry_gs_self"))
        << "GS does not point at the running Cpu inside the call";
}

ENTRY_TEST(an_ordinary_call_leaves_by_sysretq) {
    Frame frame = frame_seen(guest, "plain.");
    EXPECT_EQ(guest.seen_text("plain.exit"), "sysretq")
        << "the frame is unchanged, so the fast way out is safe";
    EXPECT_EQ(guest.seen("plain.exit_flags") & kIf, 0u)
        << "interrupts are on at the exit, with the user's GS and stack already loaded";
    EXPECT_EQ(guest.outcome, Outcome::Exited) << guest.diagnosis;
    EXPECT_EQ(guest.seen("plain.exit_rcx"), frame.rip) << "RCX is where SYSRETQ goes";
    EXPECT_EQ(guest.seen("plain.exit_r11"), frame.rflags) << "R11 becomes RFLAGS";
    EXPECT_EQ(guest.seen("plain.exit_rsp"), frame.rsp) << "RSP at the exit is not the program's";
    EXPECT_NE(guest.seen("plain.exit_gs"), guest.seen("plain.entry_gs"))
        << "GS is still the kernel's at the exit: SWAPGS is missing";
}

ENTRY_TEST(a_changed_frame_leaves_by_iretq) {
    Frame frame = frame_seen(guest, "changed.");
    EXPECT_EQ(guest.seen_text("changed.exit"), "iretq")
        << "the frame says RCX != RIP, as after execve or sigreturn; SYSRETQ cannot give "
           "the program both";
    EXPECT_EQ(guest.seen("changed.exit_r15"), frame.r15) << "R15 was changed in the frame";
    EXPECT_EQ(guest.seen("changed.exit_rcx"), frame.rcx) << "RCX was changed in the frame";
}

ENTRY_TEST(a_non_canonical_return_leaves_by_iretq) {
    frame_seen(guest, "far.");
    EXPECT_EQ(guest.seen_text("far.exit"), "iretq")
        << "RIP in the frame is 0x800000000000, not canonical; an Intel CPU (and Bochs) faults in "
           "ring 0 at this SYSRETQ, with the user's RSP loaded: a way to take over the kernel";
    int status = static_cast<int>(guest.number("watch_status"));
    EXPECT_EQ(status & 0x7f, 11) << "the process must die of SIGSEGV and nothing else; its wait "
                                    "status is " << status;
}
