// Lab 4, switch.S on the host: two contexts in one host thread that switch to and fro.
//
// A C++ caller may keep nothing in the registers that a switch loses, as it happens, and then
// does not notice. So here assembly is the caller: it loads a value of its own into each
// callee-saved register, switches away, and looks at them when it is back.
#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "kernel/sched/run_queue.h"

uint8_t fpu_use_xsave;

// uint64_t switch_with(Thread* prev, Thread* next, const uint64_t* before, uint64_t* after):
// context_switch with RBX, RBP, R12 to R15 from `before`; what is in them afterwards goes to
// `after`. Returns what context_switch returned.
//
// void entry_probe(void*): the entry of the new thread. Keeps what it finds in entry_rsp and
// entry_rbp and goes on in C++.
asm(R"(
        .pushsection .text
        .globl switch_with
switch_with:
        pushq %rbx
        pushq %rbp
        pushq %r12
        pushq %r13
        pushq %r14
        pushq %r15
        pushq %rcx
        movq 0(%rdx), %rbx
        movq 8(%rdx), %rbp
        movq 16(%rdx), %r12
        movq 24(%rdx), %r13
        movq 32(%rdx), %r14
        movq 40(%rdx), %r15
        call context_switch
        popq %rcx
        movq %rbx, 0(%rcx)
        movq %rbp, 8(%rcx)
        movq %r12, 16(%rcx)
        movq %r13, 24(%rcx)
        movq %r14, 32(%rcx)
        movq %r15, 40(%rcx)
        popq %r15
        popq %r14
        popq %r13
        popq %r12
        popq %rbp
        popq %rbx
        ret

        .globl entry_probe
entry_probe:
        movq %rsp, entry_rsp(%rip)
        movq %rbp, entry_rbp(%rip)
        subq $8, %rsp
        andq $-16, %rsp
        call new_thread
        ud2
        .popsection
)");
extern "C" {
Thread* switch_with(Thread* prev, Thread* next, const uint64_t* before, uint64_t* after);
void entry_probe(void*);
uint64_t entry_rsp, entry_rbp;
}

namespace {

using Registers = std::array<uint64_t, 6>;
constexpr const char* kNames[] = {"RBX", "RBP", "R12", "R13", "R14", "R15"};

Registers numbered(uint64_t mark) {
    Registers values;
    for (uint64_t i = 0; i < values.size(); ++i) values[i] = mark * 0x1111'0000'0000 + i + 1;
    return values;
}

Thread first, second;
Thread *first_run_prev, *came_from;
void* entry_argument;
uint64_t new_threads;
const Registers kOfSecond = numbered(2);
Registers second_found;

void expect_kept(const Registers& expected, const Registers& got) {
    for (size_t i = 0; i < expected.size(); ++i) {
        EXPECT_EQ(expected[i], got[i])
            << kNames[i] << " is not what it was before the switch: the caller expects it back "
            << "(System V ABI, 3.2.1), so it is part of the context";
    }
}

class Switch : public testing::Test {
  protected:
    // 64 bytes above the top: what a unit writes there would be somebody else's.
    Switch() : memory_(kStackSize + 128, 0xa5) {
        uint64_t end = reinterpret_cast<uint64_t>(memory_.data() + kStackSize);
        top_ = end & ~15ull;
        entry_rsp = entry_rbp = new_threads = 0;
        first_run_prev = came_from = nullptr;
        second.saved_rsp = context_prepare(top_, entry_probe, this);
    }

    static constexpr size_t kStackSize = 256 * 1024;
    std::vector<unsigned char> memory_;
    VirtAddr top_;
};

}  // namespace

extern "C" {

void thread_first_run(Thread* prev) { first_run_prev = prev; }

void thread_entry_returned() { abort(); }

// The second thread: switches back whenever it is switched to.
void new_thread(void* argument) {
    entry_argument = argument;
    for (;;) {
        ++new_threads;
        came_from = switch_with(&second, &first, kOfSecond.data(), second_found.data());
    }
}

}

TEST_F(Switch, KeepsTheCalleeSavedRegisters) {
    const Registers mine = numbered(1), again = numbered(3);
    Registers found{};
    EXPECT_EQ(switch_with(&first, &second, mine.data(), found.data()), &second)
        << "context_switch returns the thread that ran before on this CPU";
    expect_kept(mine, found);
    EXPECT_EQ(switch_with(&first, &second, again.data(), found.data()), &second);
    expect_kept(again, found);
    EXPECT_EQ(new_threads, 2u) << "the other thread did not go on where it had stopped";
    EXPECT_EQ(came_from, &first);
    expect_kept(kOfSecond, second_found);
}

TEST_F(Switch, ANewThreadStartsAtItsEntry) {
    const Registers mine = numbered(4);
    Registers found{};
    switch_with(&first, &second, mine.data(), found.data());
    EXPECT_EQ(first_run_prev, &first) << "thread_first_run(prev) comes before the entry";
    EXPECT_EQ(entry_argument, this) << "the entry's argument";
    EXPECT_EQ(entry_rsp % 16, 8u) << "RSP at a function's first instruction is 8 below a "
                                     "multiple of 16 (System V ABI, 3.2.2)";
    EXPECT_EQ(entry_rbp, 0u) << "RBP is not 0: a backtrace does not end here";
    for (unsigned char byte : std::vector(memory_.end() - 64, memory_.end()))
        ASSERT_EQ(byte, 0xa5) << "context_prepare wrote above the top of the stack";
}
