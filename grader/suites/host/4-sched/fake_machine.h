// What lab 4's units find around them on the host: CPUs that are host threads, counters, and
// a spin lock that spins. Included by one file of each test program. How to build one by
// hand, from the root of the repository (the unit from labs/ or solutions/):
//
//   g++ -std=c++20 -g -fsanitize=address,undefined -I.
//       grader/suites/host/4-sched/run_queue_test.cc solutions/4-sched/run_queue.cc
//       kernel/base/host_panic.cc -lgtest -lgtest_main -pthread
//
// The tests named *Race* are worth running with -fsanitize=thread, too.
#pragma once
#include <memory>

#include "kernel/metrics/counters.cc"
#include "kernel/sched/thread.h"
#include "kernel/sync/spinlock.cc"

Cpu cpus[kMaxCpus];
uint32_t cpu_count;

// The CPUs of one test: numbered, online, idle, each with an idle thread.
class FakeMachine {
  public:
    explicit FakeMachine(uint32_t count) {
        cpu_count = count;
        for (uint32_t i = 0; i < kMaxCpus; ++i) {
            Cpu& cpu = cpus[i];
            cpu.self = &cpu;
            cpu.id = i;
            cpu.online = i < count;
            cpu.idling = true;
            cpu.idle = cpu.current = &idle_[i];
            idle_[i].on_cpu = true;
        }
        be(0);
    }
    ~FakeMachine() { x86::sti(); }

    // The calling host thread is CPU `index` from now on.
    void be(uint32_t index) { host_cpu = &cpus[index]; }

  private:
    Thread idle_[kMaxCpus];
};
