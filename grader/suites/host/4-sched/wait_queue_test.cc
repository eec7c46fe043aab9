// Lab 4, wait_queue.cc on the host. See fake_machine.h for how to build it by hand.
#include "kernel/sched/wait_queue.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <vector>

#include "grader/suites/host/4-sched/fake_machine.h"

// A scheduler that knows no queues: a sleeping thread spins until its state is Running.
bool thread_wake(Thread& thread) {
    ThreadState state = thread.state.load();
    while (state == ThreadState::Interruptible || state == ThreadState::Uninterruptible) {
        if (thread.state.compare_exchange_weak(state, ThreadState::Running)) return true;
    }
    return false;
}

static std::atomic<bool> lost_wakeup{false};

// False after five seconds: nobody woke us.
static bool sleep_until_woken() {
    auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (current_thread()->state.load(std::memory_order_acquire) != ThreadState::Running) {
        std::this_thread::yield();
        if (std::chrono::steady_clock::now() < limit) continue;
        lost_wakeup = true;
        return false;
    }
    return true;
}
bool schedule_until(uint64_t) { return sleep_until_woken(); }
bool sleep_interrupted() { return false; }

namespace {

// A thread that waits, or does not any more.
struct Sleeper {
    Cpu cpu{};
    Thread thread;
    WaitEntry entry;

    Sleeper() { cpu.current = &thread; }
    void prepare(WaitQueue& queue, WaitMode mode = WaitMode::Interruptible) {
        Cpu* before = host_cpu;
        host_cpu = &cpu;
        wait_prepare(queue, entry, mode);
        host_cpu = before;
    }
    void finish(WaitQueue& queue) {
        Cpu* before = host_cpu;
        host_cpu = &cpu;
        wait_finish(queue, entry);
        host_cpu = before;
    }
    bool awake() const { return thread.state == ThreadState::Running; }
};

class WaitQueues : public testing::Test {
  protected:
    void SetUp() override { lost_wakeup = false; }
    FakeMachine machine_{4};
    WaitQueue queue_;
};

TEST_F(WaitQueues, PrepareSetsTheStateAndFinishResetsIt) {
    Sleeper a;
    a.prepare(queue_);
    EXPECT_EQ(a.thread.state, ThreadState::Interruptible);
    a.prepare(queue_, WaitMode::Uninterruptible);
    EXPECT_EQ(a.thread.state, ThreadState::Uninterruptible);
    EXPECT_FALSE(queue_.empty());
    a.finish(queue_);
    EXPECT_EQ(a.thread.state, ThreadState::Running);
    EXPECT_TRUE(queue_.empty()) << "the entry outlives its stack frame in the queue";
}

TEST_F(WaitQueues, PreparingTwiceQueuesOnce) {
    Sleeper a;
    a.prepare(queue_);
    a.prepare(queue_);
    EXPECT_EQ(wake_all(queue_), 1u);
    a.finish(queue_);
    EXPECT_TRUE(queue_.empty());
}

TEST_F(WaitQueues, WakeAllWakesEverybodyOnce) {
    Sleeper sleepers[3];
    for (Sleeper& s : sleepers) s.prepare(queue_);
    EXPECT_EQ(wake_all(queue_), 3u);
    for (Sleeper& s : sleepers) EXPECT_TRUE(s.awake());
    EXPECT_EQ(wake_all(queue_), 0u);
    for (Sleeper& s : sleepers) s.finish(queue_);
}

TEST_F(WaitQueues, WakeOneWakesOneExclusiveWaiterInOrder) {
    Sleeper sleepers[3];
    for (Sleeper& s : sleepers) {
        s.entry.exclusive = true;
        s.prepare(queue_);
    }
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(wake_one(queue_), 1u) << "one exclusive waiter a call";
        for (int j = 0; j < 3; ++j) EXPECT_EQ(sleepers[j].awake(), j <= i);
    }
    for (Sleeper& s : sleepers) s.finish(queue_);
}

TEST_F(WaitQueues, WakeOneWakesOthersBeforeTheExclusiveOne) {
    Sleeper watcher, owner, behind;
    owner.entry.exclusive = behind.entry.exclusive = true;
    watcher.prepare(queue_);
    owner.prepare(queue_);
    behind.prepare(queue_);
    EXPECT_EQ(wake_one(queue_), 2u);
    EXPECT_TRUE(watcher.awake() && owner.awake());
    EXPECT_FALSE(behind.awake());
    for (Sleeper* s : {&watcher, &owner, &behind}) s->finish(queue_);
}

TEST_F(WaitQueues, WakeOneIsNotSpentOnAThreadThatIsAwakeAlready) {
    Sleeper timed_out, waiting;
    timed_out.entry.exclusive = waiting.entry.exclusive = true;
    timed_out.prepare(queue_);
    waiting.prepare(queue_);
    ASSERT_TRUE(thread_wake(timed_out.thread));
    EXPECT_EQ(wake_one(queue_), 1u);
    EXPECT_TRUE(waiting.awake()) << "its wake-up went to a thread that had gone";
    timed_out.finish(queue_);
    waiting.finish(queue_);
    EXPECT_TRUE(queue_.empty());
}

TEST_F(WaitQueues, AnEntryServesAgainAfterAWakeUp) {
    Sleeper a;
    for (int i = 0; i < 3; ++i) {
        a.prepare(queue_);
        EXPECT_EQ(wake_one(queue_), 1u);
    }
    a.finish(queue_);
    EXPECT_TRUE(queue_.empty());
}

TEST_F(WaitQueues, AThreadMayWaitInTwoQueues) {
    WaitQueue other;
    Sleeper a;
    WaitEntry second;
    a.prepare(queue_);
    host_cpu = &a.cpu;
    wait_prepare(other, second, WaitMode::Interruptible);
    EXPECT_EQ(wake_all(other), 1u);
    EXPECT_EQ(wake_all(queue_), 0u);
    wait_finish(other, second);
    wait_finish(queue_, a.entry);
    EXPECT_TRUE(queue_.empty() && other.empty());
}

TEST_F(WaitQueues, RestoresInterrupts) {
    Sleeper a;
    a.prepare(queue_);
    EXPECT_TRUE(x86::interrupts_enabled());
    x86::cli();
    wake_all(queue_);
    EXPECT_FALSE(x86::interrupts_enabled()) << "wakers may be interrupt handlers";
    x86::sti();
    a.finish(queue_);
}

// Two threads hand a ball to and fro, as fast as they can: a wake-up lost between the look
// at the condition and the sleep stops the game.
TEST_F(WaitQueues, RaceLosesNoWakeUp) {
    constexpr int kRounds = 50'000;
    std::atomic<int> ball{0};
    auto play = [&](int me) {
        Sleeper self;
        host_cpu = &self.cpu;
        for (int round = 0; round < kRounds && !lost_wakeup; ++round) {
            (void)wait_until(queue_,
                             [&] { return ball.load(std::memory_order_relaxed) % 2 == me; });
            ball.store(ball.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
            wake_all(queue_);
        }
    };
    std::thread other(play, 1);
    play(0);
    other.join();
    EXPECT_FALSE(lost_wakeup);
    EXPECT_EQ(ball, 2 * kRounds);
    EXPECT_TRUE(queue_.empty());
}

// Four threads take permits, each wake_one for one permit: every permit finds its taker, and
// the entries, which live in stack frames that are gone at once, are touched by nobody.
TEST_F(WaitQueues, RaceOfExclusiveWaiters) {
    constexpr int kPermits = 20'000;
    std::atomic<int> permits{0};
    std::atomic<int> taken{0};
    auto take_one = [&] {
        WaitEntry entry;
        entry.exclusive = true;
        for (;;) {
            wait_prepare(queue_, entry, WaitMode::Uninterruptible);
            int available = permits.load(std::memory_order_relaxed);
            if (available > 0) {
                if (permits.compare_exchange_strong(available, available - 1)) break;
                continue;
            }
            if (!sleep_until_woken()) break;
        }
        wait_finish(queue_, entry);
        // The wake-up of another may have reached us while we helped ourselves.
        wake_one(queue_);
    };
    auto taker = [&] {
        auto self = std::make_unique<Sleeper>();
        host_cpu = &self->cpu;
        while (!lost_wakeup && taken.fetch_add(1) < kPermits) take_one();
    };
    std::vector<std::thread> takers;
    for (int i = 0; i < 4; ++i) takers.emplace_back(taker);
    for (int i = 0; i < kPermits; ++i) {
        permits.fetch_add(1, std::memory_order_relaxed);
        wake_one(queue_);
    }
    for (std::thread& thread : takers) thread.join();
    EXPECT_FALSE(lost_wakeup);
    EXPECT_EQ(permits, 0);
    EXPECT_TRUE(queue_.empty());
}

}  // namespace
