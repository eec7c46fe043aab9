// Lab 4, run_queue.cc on the host.
#include "kernel/sched/run_queue.h"

#include <gtest/gtest.h>

#include <deque>

#include "grader/suites/4-sched/machine.h"

namespace {

constexpr uint64_t kTickNs = 1'000'000;

class RunQueue : public testing::Test {
  protected:
    RunQueue() {
        x86::cli();
        for (Cpu& cpu : cpus) run_queue_init_cpu(cpu);
    }
    ~RunQueue() override {
        for (uint32_t i = 0; i < cpu_count; ++i) {
            machine_.be(i);
            while (Thread* thread = run_queue_pick(cpus[i])) thread->on_cpu = false;
        }
        for (Thread& thread : threads_) run_queue_destroy_thread(thread);
    }

    Thread& make_thread(uint32_t cpu = 0) {
        Thread& thread = threads_.emplace_back();
        thread.cpu = cpu;
        run_queue_init_thread(thread);
        return thread;
    }
    Thread& queued(uint32_t cpu = 0) {
        Thread& thread = make_thread(cpu);
        run_queue_add(cpus[cpu], thread, AddReason::New);
        return thread;
    }
    Thread* pick(uint32_t cpu) {
        machine_.be(cpu);
        return run_queue_pick(cpus[cpu]);
    }
    // As the scheduler does it: `thread` runs on `cpu`.
    void run(Cpu& cpu, Thread& thread) {
        thread.on_cpu = true;
        cpu.current = &thread;
        cpu.idling = false;
    }
    // CPU 0 alone, with ticks, for `ticks`: who runs how long. Returns the switches made.
    uint32_t simulate(uint32_t ticks) {
        Cpu& cpu = cpus[0];
        uint32_t switches = 0;
        if (cpu.current == cpu.idle) run(cpu, *run_queue_pick(cpu));
        for (uint32_t i = 0; i < ticks; ++i) {
            Thread& running = *cpu.current;
            running.used.user_ns += kTickNs;
            if (!run_queue_charge(cpu, running, kTickNs)) continue;
            run_queue_add(cpu, running, AddReason::Preempted);
            Thread* next = run_queue_pick(cpu);
            EXPECT_NE(next, nullptr) << "the queue lost the thread that gave way";
            if (next == &running || next == nullptr) continue;
            running.on_cpu = false;
            run(cpu, *next);
            ++switches;
        }
        return switches;
    }
    // The thread that CPU 0 runs goes to sleep.
    Thread& put_to_sleep() {
        Cpu& cpu = cpus[0];
        Thread& thread = *cpu.current;
        Thread* next = run_queue_pick(cpu);
        thread.on_cpu = false;
        cpu.current = cpu.idle;
        if (next != nullptr) run(cpu, *next);
        return thread;
    }

    FakeMachine machine_{4};
    std::deque<Thread> threads_;
};

TEST_F(RunQueue, GivesBackAThreadOnce) {
    Thread& thread = queued();
    EXPECT_EQ(run_queue_length(cpus[0]), 1u);
    EXPECT_EQ(pick(0), &thread);
    EXPECT_EQ(run_queue_length(cpus[0]), 0u);
    EXPECT_EQ(pick(0), nullptr);
}

TEST_F(RunQueue, KeepsTheOrderOfEqualThreads) {
    Thread* all[] = {&queued(), &queued(), &queued()};
    for (Thread* thread : all) EXPECT_EQ(pick(0), thread);
}

TEST_F(RunQueue, AddSetsTheThreadsCpu) {
    Thread& thread = make_thread(0);
    run_queue_add(cpus[2], thread, AddReason::New);
    EXPECT_EQ(thread.cpu, 2u);
}

TEST_F(RunQueue, EachCpuHasItsOwnQueue) {
    queued(1);
    queued(1);
    EXPECT_EQ(run_queue_length(cpus[0]), 0u)
        << "a thread queued on CPU 1 is counted on CPU 0: one global queue?";
    EXPECT_EQ(run_queue_length(cpus[1]), 2u);
    Thread& own = queued(0);
    EXPECT_EQ(pick(0), &own) << "CPU 0 must take from its own queue before it steals";
}

TEST_F(RunQueue, KeepsInterruptsOff) {
    queued();
    EXPECT_FALSE(x86::interrupts_enabled());
    pick(0);
    EXPECT_FALSE(x86::interrupts_enabled())
        << "interrupts came on under the scheduler, which had switched them off";
}

TEST_F(RunQueue, RemoveTakesOutOnlyWhatIsQueued) {
    Thread& thread = queued();
    EXPECT_TRUE(run_queue_remove(thread));
    EXPECT_EQ(run_queue_length(cpus[0]), 0u);
    EXPECT_FALSE(run_queue_remove(thread));
    EXPECT_EQ(pick(0), nullptr);
}

TEST_F(RunQueue, RemoveLeavesAThreadThatIsStillOnACpu) {
    Thread& thread = make_thread();
    run(cpus[0], thread);
    run_queue_add(cpus[0], thread, AddReason::Preempted);
    EXPECT_FALSE(run_queue_remove(thread)) << "its registers are not saved yet";
    EXPECT_EQ(pick(0), &thread);
}

// ---- Stealing ----

TEST_F(RunQueue, AnEmptyCpuSteals) {
    queued(1);
    queued(1);
    Thread* stolen = pick(0);
    ASSERT_NE(stolen, nullptr);
    EXPECT_EQ(stolen->cpu, 0u) << "a stolen thread belongs to the CPU that stole it";
    EXPECT_EQ(run_queue_length(cpus[1]), 1u);
}

TEST_F(RunQueue, StealsFromTheLongestQueue) {
    queued(1);
    for (int i = 0; i < 3; ++i) queued(2);
    ASSERT_NE(pick(0), nullptr);
    EXPECT_EQ(run_queue_length(cpus[1]), 1u);
    EXPECT_EQ(run_queue_length(cpus[2]), 2u);
}

TEST_F(RunQueue, NeverStealsAThreadWhoseRegistersAreNotSaved) {
    Thread& thread = make_thread(1);
    run(cpus[1], thread);
    run_queue_add(cpus[1], thread, AddReason::Preempted);
    EXPECT_EQ(pick(0), nullptr) << "the thread still runs on CPU 1 (on_cpu)";
    thread.on_cpu = false;
    cpus[1].current = cpus[1].idle;
    EXPECT_EQ(pick(0), &thread);
}

TEST_F(RunQueue, NeverStealsAPinnedThread) {
    Thread& pinned = make_thread(1);
    pinned.affinity = 1u << 1;
    run_queue_add(cpus[1], pinned, AddReason::New);
    EXPECT_EQ(pick(0), nullptr);
    Thread& free = queued(1);
    EXPECT_EQ(pick(0), &free) << "a pinned thread must not hide the one behind it";
    EXPECT_EQ(pick(1), &pinned);
}

TEST_F(RunQueue, TriesTheNextQueueWhenTheLongestHasNothingForIt) {
    for (int i = 0; i < 3; ++i) {
        Thread& pinned = make_thread(1);
        pinned.affinity = 1u << 1;
        run_queue_add(cpus[1], pinned, AddReason::New);
    }
    Thread& free = queued(2);
    EXPECT_EQ(pick(0), &free);
}

// The checker of lock ranks (kernel/sync/spinlock.cc) objects to two queue locks that are
// taken in another order: a thief in each direction, so one of them goes downwards.
TEST_F(RunQueue, ThievesTakeQueueLocksInCpuOrderOrOneAtATime) {
    Thread& low = queued(1);
    EXPECT_EQ(pick(3), &low);
    Thread& high = queued(2);
    EXPECT_EQ(pick(0), &high);
}

// ---- Sharing the time ----

TEST_F(RunQueue, ALoneThreadIsNeverAskedToGiveWay) {
    Thread& thread = queued();
    run(cpus[0], *pick(0));
    for (int i = 0; i < 1000; ++i) EXPECT_FALSE(run_queue_charge(cpus[0], thread, kTickNs));
}

TEST_F(RunQueue, ThreadsShareACpuEvenly) {
    Thread* all[] = {&queued(), &queued(), &queued()};
    simulate(3000);
    for (Thread* thread : all) {
        EXPECT_GT(thread->used.user_ns, 900 * kTickNs);
        EXPECT_LT(thread->used.user_ns, 1100 * kTickNs);
    }
}

TEST_F(RunQueue, SlicesAreNotCutShort) {
    queued();
    queued();
    EXPECT_LT(simulate(1000), 600u) << "a switch at nearly every tick";
}

TEST_F(RunQueue, SlicesEndWithin20Milliseconds) {
    queued();
    Thread& second = queued();
    simulate(21);
    EXPECT_GT(second.used.user_ns, 0u);
}

TEST_F(RunQueue, ALongSleepIsNotSavedUp) {
    Thread& hog = queued();
    Thread& sleeper = queued();
    simulate(20);
    while (cpus[0].current != &sleeper) simulate(1);
    ASSERT_EQ(&put_to_sleep(), &sleeper);
    simulate(10'000);
    uint64_t before = hog.used.user_ns;
    run_queue_add(cpus[0], sleeper, AddReason::Woken);
    simulate(200);
    EXPECT_GT(hog.used.user_ns - before, 80 * kTickNs)
        << "a thread that slept for 10 s keeps the others off the CPU";
    EXPECT_GT(sleeper.used.user_ns, 50 * kTickNs);
}

TEST_F(RunQueue, ANewThreadDoesNotStarveOldOnes) {
    Thread& old = queued();
    simulate(10'000);
    uint64_t before = old.used.user_ns;
    Thread& fresh = queued();
    simulate(200);
    EXPECT_GT(old.used.user_ns - before, 80 * kTickNs);
    EXPECT_GT(fresh.used.user_ns, 80 * kTickNs);
}

TEST_F(RunQueue, StaysFairWhenVirtualTimeWraps) {
    Thread* both[] = {&queued(), &queued()};
    run(cpus[0], *run_queue_pick(cpus[0]));
    // Each in turn gets close to the end of 64 bits, in steps that keep them together.
    for (int step = 0; step < 16; ++step) {
        for (int i = 0; i < 2; ++i) {
            Thread& running = *cpus[0].current;
            run_queue_charge(cpus[0], running, (1ull << 60) - kTickNs * 10);
            run_queue_add(cpus[0], running, AddReason::Preempted);
            Thread* next = run_queue_pick(cpus[0]);
            running.on_cpu = false;
            run(cpus[0], *next);
        }
    }
    for (Thread* thread : both) thread->used.user_ns = 0;
    simulate(1000);
    for (Thread* thread : both)
        EXPECT_GT(thread->used.user_ns, 400 * kTickNs)
            << "compare virtual times by the sign of their difference";
}

TEST_F(RunQueue, AThreadThatYieldsGoesBehindTheOthers) {
    Thread& first = queued();
    Thread& second = queued();
    Thread& third = queued();
    ASSERT_EQ(pick(0), &first);
    run(cpus[0], first);
    run_queue_charge(cpus[0], first, 1000);
    run_queue_add(cpus[0], first, AddReason::Yielded);
    EXPECT_EQ(pick(0), &second);
    EXPECT_EQ(pick(0), &third);
    EXPECT_EQ(pick(0), &first);
}

TEST_F(RunQueue, MovingToABusierCpuKeepsThreadsComparable) {
    // CPU 1 has run for a second, CPU 0 for ten.
    Thread& hog = queued(0);
    simulate(10'000);
    Thread& guest = queued(1);
    machine_.be(1);
    ASSERT_EQ(run_queue_pick(cpus[1]), &guest);
    run(cpus[1], guest);
    for (int i = 0; i < 1000; ++i) run_queue_charge(cpus[1], guest, kTickNs);
    guest.on_cpu = false;
    cpus[1].current = cpus[1].idle;
    machine_.be(0);
    uint64_t before = hog.used.user_ns;
    run_queue_add(cpus[0], guest, AddReason::Preempted);
    simulate(200);
    EXPECT_GT(hog.used.user_ns - before, 80 * kTickNs);
    EXPECT_GT(guest.used.user_ns, 80 * kTickNs);
}

}  // namespace
