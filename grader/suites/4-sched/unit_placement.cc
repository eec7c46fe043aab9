// Lab 4, placement.cc on the host.
#include <gtest/gtest.h>

#include <deque>

#include "grader/suites/4-sched/machine.h"
#include "kernel/sched/run_queue.h"

namespace {

class Placement : public testing::Test {
  protected:
    Placement() {
        x86::cli();
        for (Cpu& cpu : cpus) run_queue_init_cpu(cpu);
    }
    ~Placement() override {
        for (Thread& thread : waiting_) {
            run_queue_remove(thread);
            run_queue_destroy_thread(thread);
        }
    }
    // Threads that wait for this CPU and no other.
    void queue(uint32_t cpu, uint32_t count) {
        for (uint32_t i = 0; i < count; ++i) {
            Thread& thread = waiting_.emplace_back();
            thread.affinity = 1u << cpu;
            run_queue_init_thread(thread);
            run_queue_add(cpus[cpu], thread, AddReason::New);
        }
    }
    // The CPU runs something, and `count` threads wait.
    void busy(uint32_t cpu, uint32_t count) {
        cpus[cpu].idling = false;
        queue(cpu, count);
    }
    uint32_t placed(uint32_t last_cpu, CpuMask affinity = ~0u) {
        Thread thread;
        thread.cpu = last_cpu;
        thread.affinity = affinity;
        return place_thread(thread).id;
    }

    FakeMachine machine_{4};
    std::deque<Thread> waiting_;
};

TEST_F(Placement, PrefersTheLastCpuWhenItIsIdle) {
    EXPECT_EQ(placed(2), 2u);
    EXPECT_EQ(placed(0), 0u);
}

TEST_F(Placement, TakesAnIdleCpuWhenTheLastIsBusy) {
    for (uint32_t i : {0, 1, 3}) busy(i, 0);
    EXPECT_EQ(placed(0), 2u) << "CPU 2 is idle; the others run something, although nobody waits "
                                "in their queues";
}

TEST_F(Placement, TakesTheLeastLoadedWhenNoneIsIdle) {
    busy(0, 3);
    busy(1, 2);
    busy(2, 1);
    busy(3, 2);
    EXPECT_EQ(placed(0), 2u);
}

TEST_F(Placement, StaysOnTheLastCpuWhenAllAreAlike) {
    for (uint32_t i = 0; i < 4; ++i) busy(i, 1);
    EXPECT_EQ(placed(2), 2u);
}

TEST_F(Placement, AnIdleCpuWithWorkOnItsWayIsNotIdle) {
    for (uint32_t i : {0, 1, 3}) busy(i, 0);
    queue(2, 2);
    EXPECT_NE(placed(2), 2u) << "two threads are queued there already";
}

TEST_F(Placement, RespectsTheAffinity) {
    EXPECT_EQ(placed(0, 1u << 3), 3u);
    busy(3, 9);
    EXPECT_EQ(placed(0, 1u << 3), 3u) << "idle CPUs do not matter to a pinned thread";
    EXPECT_EQ(placed(0, (1u << 3) | (1u << 1)), 1u);
}

TEST_F(Placement, NeverChoosesACpuThatIsNotOnline) {
    cpus[1].online = false;
    for (uint32_t i : {0, 2, 3}) busy(i, 5);
    EXPECT_NE(placed(0), 1u);
    EXPECT_NE(placed(1), 1u);
}

TEST_F(Placement, OneCpuNeedsNoChoice) {
    cpu_count = 1;
    busy(0, 7);
    EXPECT_EQ(placed(0), 0u);
}

}  // namespace
