#include "grader/suites/4-sched/machine.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>

Cpu cpus[kMaxCpus];
uint32_t cpu_count;

FakeMachine::FakeMachine(uint32_t count) {
    lost_wakeup = false;
    cpu_count = count;
    for (uint32_t i = 0; i < kMaxCpus; ++i) {
        Cpu& cpu = cpus[i];
        cpu.self = &cpu;
        cpu.id = i;
        cpu.online = i < count;
        cpu.idling = true;
        cpu.held_locks = cpu.interrupt_depth = 0;
        cpu.idle = cpu.current = &idle_[i];
        idle_[i].on_cpu = true;
    }
    be(0);
}

FakeMachine::~FakeMachine() {
    x86::sti();
    after_wake = nullptr;
}

void Watchdog::watch(const char* likely) {
    constexpr time_t kMostSeconds = 30;  // of CPU time; about 2 are needed
    timespec start, now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    while (!done_) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
        if (now.tv_sec - start.tv_sec < kMostSeconds) continue;
        fprintf(stderr, "panic: the CPUs do not come to an end: %s\n", likely);
        abort();
    }
}

bool thread_wake(Thread& thread) {
    ThreadState state = thread.state.load();
    while (state == ThreadState::Interruptible || state == ThreadState::Uninterruptible) {
        if (!thread.state.compare_exchange_weak(state, ThreadState::Running)) continue;
        if (FakeMachine::after_wake) FakeMachine::after_wake(thread);
        return true;
    }
    return false;
}

bool sleep_until_woken() {
    auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (current_thread()->state.load(std::memory_order_acquire) != ThreadState::Running) {
        std::this_thread::yield();
        if (std::chrono::steady_clock::now() < limit) continue;
        FakeMachine::lost_wakeup = true;
        return false;
    }
    return true;
}

bool schedule_until(uint64_t) { return sleep_until_woken(); }

bool sleep_interrupted() { return false; }
