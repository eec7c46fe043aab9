// Lab 4, wait_queue.cc on the host.
#include "kernel/sched/wait_queue.h"

#include <gtest/gtest.h>

#include <thread>

#include "grader/suites/4-sched/machine.h"

namespace {

class WaitQueues : public testing::Test {
  protected:
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

// Something else woke the thread (a signal, a timer, another queue that it polls), so that its
// entry is still here when it looks, finds nothing, and prepares again.
TEST_F(WaitQueues, PreparingAgainAfterAnotherWakeUpSleepsAgain) {
    Sleeper a;
    a.prepare(queue_);
    ASSERT_TRUE(thread_wake(a.thread));
    EXPECT_TRUE(a.entry.queued) << "only wakers of this queue and wait_finish take it out";
    a.prepare(queue_);
    EXPECT_EQ(a.thread.state, ThreadState::Interruptible)
        << "the thread is not about to sleep: it spins until its condition comes true";
    EXPECT_EQ(wake_all(queue_), 1u);
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

// Once its entry is out of the queue a thread may leave its frame, exit and be freed.
TEST_F(WaitQueues, AWakerIsDoneWithTheThreadWhenItTakesTheEntryOut) {
    Sleeper a;
    a.prepare(queue_);
    machine_.after_wake = [&](Thread&) {
        EXPECT_TRUE(a.entry.queued) << "the waker still uses the thread, which may be gone";
    };
    EXPECT_EQ(wake_all(queue_), 1u);
    a.finish(queue_);
}

// A waker has woken a thread and is about to take its entry out of the queue; meanwhile the
// thread has looked, found its condition false and prepares again.
TEST_F(WaitQueues, PreparingAgainDuringAWakeUpStaysInTheQueue) {
    Sleeper a;
    a.prepare(queue_);
    std::thread sleeper;
    machine_.after_wake = [&](Thread&) {
        sleeper = std::thread([&] { a.prepare(queue_); });
        // Time for it to come as far as it can while we are inside the waker.
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    };
    EXPECT_EQ(wake_all(queue_), 1u);
    machine_.after_wake = nullptr;
    sleeper.join();
    EXPECT_EQ(wake_all(queue_), 1u) << "the thread sleeps, but in no queue";
    a.finish(queue_);
}

}  // namespace
