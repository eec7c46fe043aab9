// What several CPUs make of it: for Bochs, whose CPUs advance in step and where a tick of the
// time-stamp counter is an instruction.
//
//   scaling      CPU-bound work by 1, 2 and 4 threads on as many CPUs (affinity of the
//                process; the threads are not pinned): ticks of each
//   lock_waits   waits for run-queue locks while two threads a CPU yield to each other
//   shoot_*      munmap of 64 pages while a thread of the process runs on every other CPU,
//                or on one: ticks, and interrupts sent
//   wake_idle    from a futex wake-up to its thread in user mode, with the CPU it last ran
//                on busy and others idle
//
// Reported: `scaling_N TICKS SUM`, `lock_waits N YIELDS`, `shoot_ticks` and `wake_idle` as
// figures, `shoot_ipis` and `shoot_ipis_one`: INTERRUPTS CALLS.
// Host data: `smp_seed`, `smp_yields`.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "user/tests/4-sched/crew.h"
#include "user/tests/lib/futex.h"
#include "user/tests/lib/report.h"

namespace {

constexpr unsigned kCpus = 4;
constexpr size_t kPage = 4096;
uint64_t seed, yields;

uint64_t metric(const char* name) {
    static char text[16384];
    int file = open("/proc/metrics", O_RDONLY);
    size_t have = 0;
    ssize_t got;
    while ((got = read(file, text + have, sizeof text - 1 - have)) > 0) have += got;
    close(file);
    text[have] = 0;
    char line[60];
    int length = snprintf(line, sizeof line, "\nmello_%s_total ", name);
    const char* at = strstr(text, line);
    if (at == nullptr) return 0;
    return strtoul(at + length, nullptr, 10);
}

// ---- scaling ----

struct Work {
    uint64_t first, sum;
};

void* compute(void* argument) {
    auto* work = static_cast<Work*>(argument);
    Sequence sequence(work->first);
    uint64_t sum = 0;
    for (int i = 0; i < 250'000; i++) sum += sequence.next();
    work->sum = sum;
    return nullptr;
}

void measure_scaling() {
    for (unsigned count : {1u, 2u, 4u}) {
        allow_cpus((1ull << count) - 1);
        Work works[kCpus];
        for (unsigned i = 0; i < count; i++) works[i] = {seed + i, 0};
        uint64_t start = ticks();
        Crew crew(compute, works, count);
        crew.join();
        uint64_t took = ticks() - start, sum = 0;
        for (unsigned i = 0; i < count; i++) sum += works[i].sum;
        char name[20];
        snprintf(name, sizeof name, "scaling_%u", count);
        report(name, "%lu %lu", took, sum);
    }
}

// ---- run-queue locks ----

std::atomic<unsigned> gathered{0};

struct Yielder {
    unsigned cpu;
};

void* yield_often(void* argument) {
    pin_to_cpu(static_cast<Yielder*>(argument)->cpu);
    gathered.fetch_add(1);
    while (gathered.load() < 2 * kCpus) sched_yield();
    for (uint64_t i = 0; i < yields; i++) sched_yield();
    return nullptr;
}

void measure_lock_waits() {
    uint64_t before = metric("run_queue_lock_waits");
    Yielder yielders[2 * kCpus];
    for (unsigned i = 0; i < 2 * kCpus; i++) yielders[i].cpu = i % kCpus;
    Crew crew(yield_often, yielders, 2 * kCpus);
    crew.join();
    report("lock_waits", "%lu %lu", metric("run_queue_lock_waits") - before, 2 * kCpus * yields);
}

// ---- shootdown ----

constexpr unsigned kPages = 64, kShots = 12;
std::atomic<unsigned> spinning{0};
std::atomic<bool> stop{false};

struct Bystander {
    unsigned cpu;
};

void* stand_by(void* argument) {
    pin_to_cpu(static_cast<Bystander*>(argument)->cpu);
    spinning.fetch_add(1);
    while (!stop.load()) relax();
    return nullptr;
}

void measure_shootdown(unsigned others, const char* times, const char* interrupts) {
    stop = false;
    spinning = 0;
    Bystander bystanders[kCpus];
    for (unsigned i = 0; i < others; i++) bystanders[i].cpu = i + 1;
    Crew crew(stand_by, bystanders, others);
    while (spinning.load() != others) relax();
    uint64_t values[kShots - 1], ipis = 0;
    for (unsigned i = 0; i < kShots; i++) {
        void* area = mmap(nullptr, kPages * kPage, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        memset(area, 1, kPages * kPage);
        uint64_t before = metric("shootdown_ipis"), start = ticks();
        munmap(area, kPages * kPage);
        uint64_t took = ticks() - start;
        // Not of the first: a CPU that ran a thread of ours before may still hold the space,
        // and lets go of it when it is asked.
        if (i == 0) continue;
        ipis += metric("shootdown_ipis") - before;
        values[i - 1] = took;
    }
    stop = true;
    crew.join();
    report(interrupts, "%lu %u", ipis, kShots - 1);
    if (times != nullptr) report_figure(times, figure_of(values, kShots - 1, 1), kShots - 1);
}

// ---- waking ----

constexpr unsigned kWakes = 12;
struct Meeting {
    std::atomic<uint32_t> ready{0}, go{0};
    std::atomic<uint64_t> arrived{0};
} meeting;

void* be_woken(void*) {
    for (uint32_t round = 1; round <= kWakes; round++) {
        // The last CPU it ran on shall be the waker's, but it may run anywhere.
        allow_cpus(1);
        allow_cpus((1 << kCpus) - 1);
        meeting.ready.store(round);
        futex_wake(&meeting.ready, 1);
        while (meeting.go.load() != round) futex_wait(&meeting.go, round - 1, nullptr);
        meeting.arrived.store(ticks());
    }
    return nullptr;
}

void measure_wake_up() {
    int unused = 0;
    Crew crew(be_woken, &unused, 1);
    uint64_t values[kWakes - 1];
    for (uint32_t round = 1; round <= kWakes; round++) {
        while (meeting.ready.load() != round) futex_wait(&meeting.ready, round - 1, nullptr);
        sleep_us(200);  // it goes to sleep
        meeting.arrived.store(0);
        uint64_t start = ticks();
        meeting.go.store(round);
        futex_wake(&meeting.go, 1);
        while (meeting.arrived.load() == 0) relax();
        if (round > 1) values[round - 2] = meeting.arrived.load() - start;
    }
    crew.join();
    report_figure("wake_idle", figure_of(values, kWakes - 1, 1), kWakes - 1);
}

}  // namespace

int main() {
    seed = host_number("smp_seed", 1);
    yields = host_number("smp_yields", 300);
    if (cpu_count() < kCpus) return check_failed("smp.cpus", Where::current(), "needs 4"), 1;
    measure_scaling();
    pin_to_cpu(0);
    measure_lock_waits();
    measure_shootdown(kCpus - 1, "shoot_ticks", "shoot_ipis");
    measure_shootdown(1, nullptr, "shoot_ipis_one");
    measure_wake_up();
    return check_summary("smp");
}
