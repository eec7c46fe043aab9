// Load averages: how many threads ran or wanted to, averaged over 1, 5 and 15 minutes
// with exponentially falling weight. Sampled every 5 s by a timer, in fixed point: with
// 11 bits behind the point, load = load * e^(-5 s / T) + runnable * (1 - e^(-5 s / T)).
#include "kernel/prof/proc_files.h"

#include "kernel/arch/tsc.h"
#include "kernel/sched/scheduler.h"
#include "kernel/sched/timer.h"

namespace {

constexpr uint64_t kPeriodNs = 5'000'000'000;
constexpr uint64_t kOne = 1 << 11;
// 2048 * e^(-5/60), e^(-5/300), e^(-5/900)
constexpr uint64_t kDecay[3] = {1884, 2014, 2037};

std::atomic<uint64_t> loads[3];

void sample(Timer& timer) {
    uint64_t runnable = scheduler_runnable_count() * kOne;
    for (int i = 0; i < 3; ++i) {
        uint64_t load = loads[i].load(std::memory_order_relaxed);
        load = (load * kDecay[i] + runnable * (kOne - kDecay[i])) / kOne;
        loads[i].store(load, std::memory_order_relaxed);
    }
    timer.deadline_ns += kPeriodNs;
    timer_start(timer);
}

Timer timer;

}  // namespace

void proc_load_start() {
    timer.callback = sample;
    timer.deadline_ns = monotonic_ns() + kPeriodNs;
    timer_start(timer);
}

uint64_t proc_load_average(int which) {
    return loads[which].load(std::memory_order_relaxed) * 100 / kOne;
}
