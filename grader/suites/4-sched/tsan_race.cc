// Lab 4, races between host threads that play CPUs: run_queue.cc and wait_queue.cc.
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "grader/suites/4-sched/machine.h"
#include "kernel/sched/run_queue.h"

namespace {

// Four CPUs pick, run and put back; some threads are put on others' queues. A thread has
// one owner at any time, and none is lost.
TEST(RunQueueRace, FourCpusNeitherLoseNorDoubleThreads) {
    FakeMachine machine(4);
    Watchdog watchdog("do two thieves take two queue locks in opposite orders?");
    constexpr int kThreads = 10;
    constexpr int kRounds = 20'000;
    std::deque<Thread> threads;
    x86::cli();
    for (Cpu& cpu : cpus) run_queue_init_cpu(cpu);
    for (int i = 0; i < kThreads; ++i) {
        Thread& thread = threads.emplace_back();
        thread.tid = i;
        run_queue_init_thread(thread);
        run_queue_add(cpus[i % 4], thread, AddReason::New);
    }
    std::atomic<int> owners[kThreads] = {};
    std::atomic<bool> doubled{false};
    auto cpu_main = [&](uint32_t index) {
        machine.be(index);
        x86::cli();
        Cpu& cpu = cpus[index];
        for (int round = 0; round < kRounds; ++round) {
            Thread* thread = run_queue_pick(cpu);
            if (thread == nullptr) continue;
            std::atomic<int>& owner = owners[thread->tid];
            if (owner.fetch_add(1) != 0) doubled = true;
            thread->on_cpu.store(true, std::memory_order_relaxed);
            cpu.current = thread;
            run_queue_charge(cpu, *thread, 1000 + round % 7);
            cpu.current = cpu.idle;
            owner.fetch_sub(1);
            thread->on_cpu.store(false, std::memory_order_release);
            uint32_t target = round % 5 == 0 ? (index + 1) % 4 : index;
            run_queue_add(cpus[target], *thread,
                          round % 3 == 0 ? AddReason::Woken : AddReason::Preempted);
        }
    };
    std::thread others[] = {std::thread(cpu_main, 1), std::thread(cpu_main, 2),
                            std::thread(cpu_main, 3)};
    cpu_main(0);
    for (std::thread& other : others) other.join();
    machine.be(0);
    EXPECT_FALSE(doubled) << "one thread ran on two CPUs at once";
    int found = 0;
    while (run_queue_pick(cpus[0]) != nullptr) ++found;
    EXPECT_EQ(found, kThreads);
}

// Two threads hand a ball to and fro, as fast as they can: a wake-up lost between the look
// at the condition and the sleep stops the game.
TEST(WaitQueueRace, LosesNoWakeUp) {
    FakeMachine machine(4);
    WaitQueue queue;
    constexpr int kRounds = 50'000;
    std::atomic<int> ball{0};
    auto play = [&](int me) {
        Sleeper self;
        host_cpu = &self.cpu;
        for (int round = 0; round < kRounds && !FakeMachine::lost_wakeup; ++round) {
            (void)wait_until(queue,
                             [&] { return ball.load(std::memory_order_relaxed) % 2 == me; });
            ball.store(ball.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
            wake_all(queue);
        }
    };
    std::thread other(play, 1);
    play(0);
    other.join();
    EXPECT_FALSE(FakeMachine::lost_wakeup);
    EXPECT_EQ(ball, 2 * kRounds);
    EXPECT_TRUE(queue.empty());
}

// Four threads take permits, each wake_one for one permit: every permit finds its taker, and
// the entries, which live in stack frames that are gone at once, are touched by nobody.
TEST(WaitQueueRace, ExclusiveWaitersAllGetTheirTurn) {
    FakeMachine machine(4);
    WaitQueue queue;
    constexpr int kPermits = 20'000;
    std::atomic<int> permits{0};
    std::atomic<int> taken{0};
    auto take_one = [&] {
        WaitEntry entry;
        entry.exclusive = true;
        for (;;) {
            wait_prepare(queue, entry, WaitMode::Uninterruptible);
            int available = permits.load(std::memory_order_relaxed);
            if (available > 0) {
                if (permits.compare_exchange_strong(available, available - 1)) break;
                continue;
            }
            if (!sleep_until_woken()) break;
        }
        wait_finish(queue, entry);
        // The wake-up of another may have reached us while we helped ourselves.
        wake_one(queue);
    };
    auto taker = [&] {
        auto self = std::make_unique<Sleeper>();
        host_cpu = &self->cpu;
        while (!FakeMachine::lost_wakeup && taken.fetch_add(1) < kPermits) take_one();
    };
    std::vector<std::thread> takers;
    for (int i = 0; i < 4; ++i) takers.emplace_back(taker);
    for (int i = 0; i < kPermits; ++i) {
        permits.fetch_add(1, std::memory_order_relaxed);
        wake_one(queue);
    }
    for (std::thread& thread : takers) thread.join();
    EXPECT_FALSE(FakeMachine::lost_wakeup);
    EXPECT_EQ(permits, 0);
    EXPECT_TRUE(queue.empty());
}

}  // namespace
