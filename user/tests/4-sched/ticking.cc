// Does the timer go on ticking on every CPU? Two threads spin on each of them and note who
// ran last there: every change of hands needs a tick. An interrupt that is never acknowledged
// shows as a CPU whose turns stop.
//
// Reported: `turns_CPU`, changes of hands, at most kWanted.
#include <stdio.h>

#include "user/tests/4-sched/crew.h"
#include "user/tests/lib/report.h"

namespace {

constexpr unsigned kWanted = 10;
constexpr unsigned kMostCpus = 8;
constexpr uint64_t kPatienceUs = 8'000'000;

struct alignas(64) Place {
    std::atomic<unsigned> last{0}, changes{0};
};
Place places[kMostCpus];
unsigned cpus;
uint64_t began;

bool all_done() {
    for (unsigned i = 0; i < cpus; i++) {
        if (places[i].changes.load(std::memory_order_relaxed) < kWanted) return false;
    }
    return true;
}

struct Spinner {
    unsigned cpu, name;
};

void* spin(void* argument) {
    auto* me = static_cast<Spinner*>(argument);
    pin_to_cpu(me->cpu);
    Place& place = places[me->cpu];
    for (uint64_t n = 0;; n++) {
        if (place.last.exchange(me->name) != me->name) place.changes.fetch_add(1);
        relax();
        if (n % 1024 == 0 && (all_done() || now_us() - began > kPatienceUs)) return nullptr;
    }
}

}  // namespace

int main() {
    cpus = cpu_count();
    if (cpus > kMostCpus) cpus = kMostCpus;
    began = now_us();
    Spinner spinners[2 * kMostCpus];
    for (unsigned i = 0; i < 2 * cpus; i++) spinners[i] = {i / 2, i + 1};
    Crew crew(spin, spinners, 2 * cpus);
    crew.join();
    for (unsigned i = 0; i < cpus; i++) {
        char name[20];
        snprintf(name, sizeof name, "turns_%u", i);
        report(name, "%u", places[i].changes.load());
    }
    return check_summary("ticking");
}
