// Is the work spread over the CPUs, and does a thread run where it may?
//
// Eight threads compute, each its part of a sum over host data, for as long as it takes until
// every CPU has been seen at work or the time is over. Then affinity: of the caller, of a
// thread that runs elsewhere, of one that sleeps, inherited by fork; masks without a CPU.
//
// Reported: `spread_cpus`, mask of the CPUs at work; `spread_sum`.
// Host data: `spread_seed`.
#include "user/tests/4-sched/crew.h"
#include "user/tests/lib/child.h"
#include "user/tests/lib/futex.h"
#include "user/tests/lib/report.h"

namespace {

constexpr unsigned kThreads = 8;
constexpr unsigned kChunks = 64;
constexpr uint64_t kPatienceUs = 6'000'000;

std::atomic<uint64_t> seen{0};
uint64_t everyone;

struct Part {
    uint64_t seed;
    uint64_t sum;
};

uint64_t chunk(uint64_t seed) {
    Sequence sequence(seed);
    uint64_t sum = 0;
    for (int i = 0; i < 20000; i++) sum += sequence.next();
    return sum;
}

void* compute(void* argument) {
    auto* part = static_cast<Part*>(argument);
    uint64_t start = now_us();
    for (unsigned i = 0; i < kChunks; i++) {
        part->sum += chunk(part->seed + i);
        seen.fetch_or(1ull << current_cpu());
    }
    // The answer is there; go on until all CPUs have helped.
    while (seen.load() != everyone && now_us() - start < kPatienceUs) {
        chunk(part->seed);
        seen.fetch_or(1ull << current_cpu());
    }
    return nullptr;
}

void test_spread(uint64_t seed) {
    Part parts[kThreads];
    for (unsigned i = 0; i < kThreads; i++) parts[i] = {seed + i * kChunks, 0};
    Crew crew(compute, parts, kThreads);
    crew.join();
    uint64_t sum = 0;
    for (const Part& part : parts) sum += part.sum;
    report("spread_sum", "%lu", sum);
    report("spread_cpus", "%#lx", seen.load());
}

void test_own_affinity(unsigned cpus) {
    for (int round = 0; round < 20; round++) {
        for (unsigned cpu = 0; cpu < cpus; cpu++) {
            check("affinity.set", allow_cpus(1ull << cpu));
            if (current_cpu() != cpu) {
                check_failed("affinity.moved", Where::current(),
                             "expected to run on CPU %u after sched_setaffinity, got %u", cpu,
                             current_cpu());
            }
        }
    }
    check_passed("affinity.moved");
    allow_cpus(1ull << (cpus - 1));
    int status = run_child([cpus] { return current_cpu() == cpus - 1 ? 0 : 1; });
    check_exited("affinity.inherited_by_fork", 0, status);
    check_fails("affinity.no_such_cpu", EINVAL, allow_cpus(1ull << 60) ? 0 : -1);
    allow_cpus(everyone);
}

struct Wanderer {
    std::atomic<int> tid{0};
    std::atomic<unsigned> cpu{~0u};
    std::atomic<uint32_t> sleep{0}, awake{0};
    std::atomic<bool> stop{false};
};

void* wander(void* argument) {
    auto* me = static_cast<Wanderer*>(argument);
    me->tid = static_cast<int>(syscall(SYS_gettid));
    while (!me->stop.load()) {
        if (me->sleep.load() != 0) futex_wait(&me->sleep, 1, nullptr);
        me->cpu.store(current_cpu());
        me->awake.fetch_add(1);
    }
    return nullptr;
}

// Must get there within a tick; on a busy host a tick may take its time.
bool arrives(Wanderer& thread, unsigned cpu) {
    uint64_t start = now_us();
    while (now_us() - start < kPatienceUs) {
        if (thread.cpu.load() == cpu) return true;
        relax();
    }
    return false;
}

void test_moving_another(unsigned cpus) {
    Wanderer thread;
    allow_cpus(1);
    Crew crew(wander, &thread, 1);
    allow_cpus(everyone);
    while (thread.tid.load() == 0) sched_yield();
    for (unsigned round = 0; round < 3 * cpus; round++) {
        unsigned cpu = round * 7 % cpus;
        check("affinity.set_other", allow_cpus(1ull << cpu, thread.tid));
        if (!arrives(thread, cpu)) {
            check_failed("affinity.running_thread_moved", Where::current(),
                         "expected the running thread on CPU %u, it stays on %u", cpu,
                         thread.cpu.load());
            break;
        }
    }
    check_passed("affinity.running_thread_moved");
    for (unsigned cpu = 0; cpu < cpus; cpu++) {
        thread.sleep = 1;
        uint32_t before;
        do {  // asleep: nothing moves for a while
            before = thread.awake.load();
            sleep_us(3000);
        } while (thread.awake.load() != before);
        allow_cpus(1ull << cpu, thread.tid);
        thread.cpu = ~0u;
        thread.sleep = 0;
        futex_wake(&thread.sleep, 1);
        if (!arrives(thread, cpu)) {
            check_failed("affinity.sleeping_thread_moved", Where::current(),
                         "expected the sleeper to wake on CPU %u, it is on %u", cpu,
                         thread.cpu.load());
        }
    }
    check_passed("affinity.sleeping_thread_moved");
    thread.stop = true;
    crew.join();
}

}  // namespace

int main() {
    unsigned cpus = cpu_count();
    everyone = (1ull << cpus) - 1;
    check_quietly(true);
    test_spread(host_number("spread_seed", 1));
    test_own_affinity(cpus);
    test_moving_another(cpus);
    return check_summary("spread");
}
