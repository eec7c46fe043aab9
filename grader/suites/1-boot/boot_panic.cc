// Lab 1, the end of a kernel: the host breaks the running kernel from outside, in three ways,
// with values of its own choice, and the kernel must say on the console what happened, where,
// with which registers, and how it got there; the host has walked the stack itself.
#include <cstring>

#include "grader/lib/process.h"
#include "grader/suites/suite.h"

namespace {

const uint64_t kSeed = chosen("panic_seed", 1, 1ull << 62);
const std::string kBlob = Sequence(kSeed).bytes(2000);
constexpr double kPatience = 15;
// Register numbers of the gdb stub.
constexpr int kRax = 0, kRbx = 1, kRbp = 6, kRsp = 7, kRip = 16, kR12 = 12, kR15 = 15;

// Stops the machine at the first instruction of trap_dispatch: kernel mode, on the stack of
// the program's thread. The timer leads there.
int stop_in_kernel(Inspection& at) {
    int cpu = at.machine.run_to(at.symbols.address("trap_dispatch"), kPatience);
    if (cpu < 0) throw InfraError("the timer interrupt did not come to trap_dispatch");
    return cpu;
}

// Moves RSP to the end of the stack, where the next push hits the guard page.
void overflow_the_stack(Inspection& at) {
    int cpu = stop_in_kernel(at);
    CpuState state = at.machine.cpu(cpu);
    uint64_t page = state.rsp & ~0xfffull;
    for (int i = 0; i < 64 && at.machine.translate(state.cr3, page); ++i) page -= 4096;
    if (at.machine.translate(state.cr3, page)) throw InfraError("no guard page below the stack");
    at.numbers["rsp"] = page + 4096;
    at.numbers["guard"] = page;
    at.machine.write_register(cpu, kRsp, page + 4096);
}

// MOV to DS of a selector that is in no table: #GP with the selector as the error code.
void load_a_bad_selector(Inspection& at) {
    constexpr unsigned char kMovDsAx[] = {0x8e, 0xd8};
    int cpu = stop_in_kernel(at);
    CpuState state = at.machine.cpu(cpu);
    Sequence random(kSeed ^ 1);
    uint64_t selector = (0x1000 + random.below(0xe000)) & ~7ull;
    at.numbers["selector"] = selector;
    at.numbers["rip"] = state.rip;
    at.machine.write_register(cpu, kRax, selector);
    for (int number = kR12; number <= kR15; ++number) {
        uint64_t value = random.next();
        at.numbers["r" + std::to_string(number)] = value;
        at.machine.write_register(cpu, number, value);
    }
    at.numbers["rbx"] = random.next();
    at.machine.write_register(cpu, kRbx, at.numbers["rbx"]);
    // The step ends at the gate of #GP, which needs the instruction that was here.
    unsigned char before[sizeof kMovDsAx];
    at.machine.read_space(state.cr3, state.rip, before, sizeof before);
    at.machine.write_space(state.cr3, state.rip, kMovDsAx, sizeof kMovDsAx);
    at.machine.step(cpu);
    at.machine.write_space(state.cr3, state.rip, before, sizeof before);
}

// Lets the program write to the serial port, stops at uart_write, deep in a system call,
// makes the frame that a compiler may leave out of so small a function, walks the stack, and
// jumps to address 0.
void jump_to_null(Inspection& at) {
    uint64_t go = 1, function = at.symbols.address("_Z10uart_writetPKcm");
    if (function == 0) throw InfraError("the kernel has no uart_write");
    at.machine.write_space(at.cpu.cr3, at.flag, &go, sizeof go);
    int cpu = at.machine.run_to(function, kPatience);
    if (cpu < 0) throw InfraError("the program's report did not come to uart_write");
    CpuState state = at.machine.cpu(cpu);
    uint64_t frame = state.rsp - 8;
    at.machine.write_space(state.cr3, frame, &state.rbp, sizeof state.rbp);
    at.machine.write_register(cpu, kRsp, frame);
    at.machine.write_register(cpu, kRbp, frame);
    std::string chain;
    for (int depth = 0; depth < 30 && is_kernel_address(frame); ++depth) {
        uint64_t pair[2];
        if (!at.machine.read_space(state.cr3, frame, pair, sizeof pair)) break;
        chain += hex(pair[1]) + " ";
        if (pair[0] <= frame) break;
        frame = pair[0];
    }
    at.texts["chain"] = chain;
    at.machine.write_register(cpu, kRip, 0);
}

// What a kernel that was broken like this must have done.
void need_panic(const Guest& guest) {
    if (guest.outcome == Outcome::Panic) return;
    auto error = guest.seen_texts.find("error");
    std::string verdict = guest.outcome == Outcome::Reset
                              ? "the exception in the kernel became a triple fault"
                              : std::string("the kernel did not panic: ") +
                                    outcome_name(guest.outcome);
    if (error != guest.seen_texts.end()) verdict += "\nthe host's hand: " + error->second;
    stop_test("FAIL", verdict + "\n" + guest.diagnosis);
}

std::string report_of(const Guest& guest) {
    size_t at = guest.console.rfind("PANIC: ");
    if (at == std::string::npos) stop_test("FAIL", "the console shows no PANIC\n" + guest.console);
    std::string text;
    for (char c : guest.console.substr(at)) {
        if (c != '\r') text += c;
    }
    return text;
}

void expect_words(const std::string& report, const std::string& words, const char* what) {
    EXPECT_NE(report.find(words), std::string::npos)
        << what << ": expected \"" << words << "\" in the report:\n" << report;
}

std::string wide(uint64_t value) {
    char text[20];
    snprintf(text, sizeof text, "%016lx", value);
    return text;
}

// The kernel's functions by nm, as kernel/arch/make_symbols.sh takes them.
std::map<uint64_t, std::string> functions() {
    CommandResult result =
        run_command({"nm", "-n", "-C", "--defined-only", kernel_under_test()}, 60);
    std::map<uint64_t, std::string> table;
    for (const std::string& line : split(result.output, '\n')) {
        if (line.size() < 20 || !strchr("tTwW", line[17])) continue;
        uint64_t address = strtoull(line.c_str(), nullptr, 16);
        std::string name = line.substr(19);
        if (name == "kernel_start" || name == "kernel_text_start") continue;
        table.emplace(address, name.substr(0, 120));
    }
    return table;
}

}  // namespace

#define PANIC_TEST(name, hook)                                                         \
    GUEST_CRASH_TEST(Panic, name, .run = "/tests/1-boot/state", .data = {{"small", kBlob}}, \
                     .alone = true, .inspect = hook)

PANIC_TEST(stack_overflow_is_a_double_fault, overflow_the_stack) {
    need_panic(guest);
    std::string report = report_of(guest);
    expect_words(report, "double fault (#DF)", "the cause");
    expect_words(report, "rsp " + wide(guest.seen("rsp")),
                 "RSP of the overflowed stack, not of the one the report runs on");
    expect_words(report, "cr2 " + wide(guest.seen("guard") + 0xff8), "CR2, in the guard page");
}

PANIC_TEST(registers_are_reported, load_a_bad_selector) {
    need_panic(guest);
    std::string report = report_of(guest);
    expect_words(report, "general protection (#GP) in kernel mode", "the cause");
    expect_words(report, "error " + hex(guest.seen("selector")), "the CPU's error code");
    expect_words(report, "rip " + wide(guest.seen("rip")) + "  cs  " + wide(8), "where");
    for (const char* name : {"rbx", "r12", "r13", "r14", "r15"}) {
        expect_words(report, std::string(name) + " " + wide(guest.seen(name)), "a register");
    }
}

PANIC_TEST(backtrace_is_true, jump_to_null) {
    need_panic(guest);
    std::string report = report_of(guest);
    expect_words(report, "page fault (#PF) in kernel mode", "the cause");
    expect_words(report, "backtrace:\n", "a backtrace");
    report.erase(0, report.find("backtrace:\n"));
    std::map<uint64_t, std::string> table = functions();
    std::vector<std::string> chain = split(guest.seen_text("chain"), ' ');
    // Entry, dispatch and the call's own function at least; more as far as the compiler
    // keeps functions apart. All of it is compared below.
    ASSERT_GE(chain.size(), 3u) << "a system call's stack is deeper than that";
    size_t before = 0;
    for (const std::string& one : chain) {
        uint64_t address = strtoull(one.c_str(), nullptr, 0);
        if (address == 0) continue;
        // The call before the return address says whose frame it is.
        auto function = table.upper_bound(address - 1);
        ASSERT_NE(function, table.begin());
        --function;
        char line[240];
        snprintf(line, sizeof line, "[<%016lx>] %s+0x%lx", address, function->second.c_str(),
                 address - function->first);
        size_t found = report.find(line);
        EXPECT_NE(found, std::string::npos)
            << "the host, walking the same stack, found\n  " << line << "\nand the report has\n"
            << report;
        if (found == std::string::npos) return;
        EXPECT_GT(found, before) << line << " stands in the wrong order";
        before = found;
    }
}
