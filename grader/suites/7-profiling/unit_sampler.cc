// Lab 7, sampler.cc: what a tick records, and what is read of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "grader/suites/7-profiling/machine.h"

namespace {

class SamplerTest : public testing::Test {
  protected:
    void start() { ASSERT_TRUE(sampler_set(true).ok()); }

    FakeMachine machine_{1};
    Ticked ticked_{"program"};
};

using Lines = std::vector<std::string>;

TEST_F(SamplerTest, TakesNothingWhileOff) {
    machine_.be(0, &ticked_.thread);
    ticked_.tick_in_user(0x401000, 0);
    EXPECT_EQ(sampler_totals().taken, 0u);
    start();
    ticked_.tick_in_user(0x401000, 0);
    ASSERT_TRUE(sampler_set(false).ok());
    ticked_.tick_in_user(0x401000, 0);
    EXPECT_EQ(take_samples(), Lines{"program;0x401000 1"});
}

TEST_F(SamplerTest, IdleIsNoWork) {
    start();
    machine_.be(0, nullptr);
    FakeStack stack({kBeta + 1});
    ticked_.tick_in_kernel(kAlpha, stack.rbp());
    EXPECT_EQ(take_samples(), Lines{}) << "an idle CPU was counted as work";
    machine_.be(0, &ticked_.thread);
    ticked_.tick_in_user(0x401000, 0);
    EXPECT_EQ(sampler_totals().taken, 1u);
}

// A call may be the last instruction of its function, and then the return address is the next
// function's first.
TEST_F(SamplerTest, KernelFramesAreNamedByTheirCalls) {
    Ticked worker("worker", false);
    start();
    machine_.be(0, &worker.thread);
    FakeStack stack({kBeta, kGamma + 1, kAlpha + 0x80});
    worker.tick_in_kernel(kGamma, stack.rbp());
    EXPECT_EQ(take_samples(), Lines{"worker;alpha;gamma(int);alpha;gamma(int) 1"})
        << "the interrupted address is exact, a return address lies behind its call";
}

TEST_F(SamplerTest, UnknownAddressesSayNothing) {
    Ticked worker("worker", false);
    start();
    machine_.be(0, &worker.thread);
    worker.tick_in_kernel(kGamma + 0x1000, 0);
    EXPECT_EQ(take_samples(), Lines{"worker;? 1"});
}

TEST_F(SamplerTest, UserFramesFollowThePointers) {
    user_memory = [](VirtAddr address) { return address > 0x10000; };
    start();
    machine_.be(0, &ticked_.thread);
    FakeStack stack({0x402001, 0x403001});
    ticked_.tick_in_user(0x401000, stack.rbp());
    EXPECT_EQ(take_samples(), Lines{"program;0x403000;0x402000;0x401000 1"});
}

// Both halves of a system call: the kernel's functions on top of the program's.
TEST_F(SamplerTest, SystemCallsHaveBothStacks) {
    user_memory = [](VirtAddr address) { return address > 0x10000; };
    start();
    machine_.be(0, &ticked_.thread);
    FakeStack user({0x402001}), kernel({kAlpha + 5});
    ticked_.user.rip = 0x401002;
    ticked_.user.rbp = user.rbp();
    ticked_.tick_in_kernel(kBeta, kernel.rbp());
    EXPECT_EQ(take_samples(), Lines{"program;0x402000;0x401001;alpha;beta 1"});
}

TEST_F(SamplerTest, KernelThreadsHaveNoProgram) {
    Ticked worker("worker", false);
    worker.user.rip = 0x401000;
    start();
    machine_.be(0, &worker.thread);
    worker.tick_in_kernel(kBeta, 0);
    EXPECT_EQ(take_samples(), Lines{"worker;beta 1"});
}

// A program may keep anything in RBP.
TEST_F(SamplerTest, UserFramesMayLie) {
    static FakeStack* stack;
    FakeStack whole({0x402001, 0x403001, 0x404001});
    stack = &whole;
    user_memory = [](VirtAddr address) { return address - stack->rbp() < 8 * 8; };
    start();
    machine_.be(0, &ticked_.thread);
    for (VirtAddr rbp : {VirtAddr{0}, VirtAddr{8}, ~VirtAddr{0}, ~VirtAddr{7}, kKernelBase,
                         stack->rbp() + 4, stack->rbp() + 6 * 8}) {
        ticked_.tick_in_user(0x401000, rbp);
        Lines lines = take_samples();
        ASSERT_EQ(lines.size(), 1u);
        EXPECT_EQ(lines[0].substr(0, 16), "program;0x401000") << "RBP was " << std::hex << rbp;
    }
    // Links in circles, backwards and to itself.
    for (size_t to : {0, 2}) {
        stack->word(4) = stack->rbp() + 8 * to;
        ticked_.tick_in_user(0x401000, stack->rbp());
        Lines lines = take_samples();
        ASSERT_EQ(lines.size(), 1u);
        size_t frames = static_cast<size_t>(std::count(lines[0].begin(), lines[0].end(), ';'));
        EXPECT_LE(frames, 4u) << "the walk went in circles: " << lines[0];
        EXPECT_GE(frames, 3u) << "the walk ended too early: " << lines[0];
    }
}

TEST_F(SamplerTest, DeepStacksAreCut) {
    user_memory = [](VirtAddr address) { return address > 0x10000; };
    start();
    machine_.be(0, &ticked_.thread);
    FakeStack kernel(std::vector<VirtAddr>(500, kAlpha + 5));
    FakeStack user(std::vector<VirtAddr>(500, 0x402001));
    ticked_.user.rip = 0x401001;
    ticked_.user.rbp = user.rbp();
    ticked_.tick_in_kernel(kBeta, kernel.rbp());
    Lines lines = take_samples();
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_NE(lines[0].find(";alpha;beta 1"), std::string::npos) << lines[0];
}

TEST_F(SamplerTest, ReadingTakesOut) {
    start();
    machine_.be(0, &ticked_.thread);
    ticked_.tick_in_user(0x401000, 0);
    EXPECT_EQ(take_samples().size(), 1u);
    EXPECT_EQ(take_samples().size(), 0u);
    ticked_.tick_in_user(0x402000, 0);
    EXPECT_EQ(take_samples(), Lines{"program;0x402000 1"});
    EXPECT_EQ(sampler_totals().taken, 2u);
}

TEST_F(SamplerTest, StartingForgets) {
    start();
    machine_.be(0, &ticked_.thread);
    ticked_.tick_in_user(0x401000, 0);
    start();
    EXPECT_EQ(take_samples().size(), 0u);
    EXPECT_EQ(sampler_totals().taken, 0u);
}

TEST_F(SamplerTest, DropsAreCounted) {
    constexpr uint64_t kTicks = 50'000;
    start();
    machine_.be(0, &ticked_.thread);
    for (uint64_t i = 0; i < kTicks; i++) ticked_.tick_in_user(0x401000 + i, 0);
    SamplerTotals totals = sampler_totals();
    EXPECT_EQ(totals.taken, kTicks);
    EXPECT_GT(totals.dropped, 0u) << "nobody has room for 50,000 samples";
    Lines lines = take_samples();
    EXPECT_EQ(lines.size() + totals.dropped, totals.taken)
        << "samples that were neither kept nor counted as dropped";
    // What was kept is what came first, and nothing was written over.
    std::sort(lines.begin(), lines.end());
    EXPECT_EQ(std::unique(lines.begin(), lines.end()), lines.end());
    ticked_.tick_in_user(0x77, 0);
    EXPECT_EQ(take_samples(), Lines{"program;0x77 1"}) << "there is room again after reading";
}

TEST_F(SamplerTest, EveryCpuKeepsItsOwn) {
    FakeMachine machine(4);
    start();
    for (uint32_t i = 0; i < 4; i++) {
        machine.be(i, &ticked_.thread);
        ticked_.tick_in_user(0x1000 * (i + 1), 0);
    }
    machine.be(0, nullptr);
    Lines lines = take_samples();
    std::sort(lines.begin(), lines.end());
    EXPECT_EQ(lines, (Lines{"program;0x1000 1", "program;0x2000 1", "program;0x3000 1",
                            "program;0x4000 1"}));
}

}  // namespace
