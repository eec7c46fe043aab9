// What lab 4's units find around them on the host: CPUs that are host threads, and a
// scheduler that knows no queues, under which a sleeping thread spins until its state is
// Running.
#pragma once
#include <atomic>
#include <functional>
#include <thread>

#include "kernel/sched/wait_queue.h"

// The CPUs of one test: numbered, online, idle, each with an idle thread.
class FakeMachine {
  public:
    explicit FakeMachine(uint32_t count);
    ~FakeMachine();

    // The calling host thread is CPU `index` from now on.
    void be(uint32_t index) { host_cpu = &cpus[index]; }

    // Set when a thread slept for five seconds and nobody woke it.
    static inline std::atomic<bool> lost_wakeup{false};
    // Called at the end of each successful thread_wake.
    static inline std::function<void(Thread&)> after_wake;

  private:
    Thread idle_[kMaxCpus];
};

// Ends the program when a test does not come to its end, with a word on why: CPUs that wait
// for each other never do.
class Watchdog {
  public:
    explicit Watchdog(const char* likely) : thread_([this, likely] { watch(likely); }) {}
    ~Watchdog() {
        done_ = true;
        thread_.join();
    }

  private:
    void watch(const char* likely);

    std::atomic<bool> done_{false};
    std::thread thread_;
};

// False after five seconds: nobody woke us.
bool sleep_until_woken();

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
