// Lab 2: what it costs a process with 8 MiB of memory in use to start /bin/true and wait for
// it: fork, execve, wait4. Reported: `spawn` (report_figure, in ticks) and `spawn_raw`, the
// ticks of all repetitions together and their number, for the host to cross-check.
#include "user/tests/2-paging/pages.h"
#include "user/tests/lib/child.h"
#include "user/tests/lib/figure.h"
#include "user/tests/lib/report.h"

namespace {

constexpr unsigned kWarmUps = 3, kRepetitions = 11;
constexpr size_t kResident = 8 << 20;

bool spawn() {
    pid_t child = fork();
    if (child == 0) {
        char name[] = "true";
        char* const arguments[] = {name, nullptr};
        char* const environment[] = {nullptr};
        execve("/bin/true", arguments, environment);
        _exit(1);
    }
    return wait_status(child) == 0;
}

}  // namespace

int main() {
    check_group("spawn");
    char* memory = map_pages(kResident / kPage);
    uint64_t seed = host_number("spawn_seed", 1);
    Sequence(seed).fill(memory, kResident);
    bool well = true;
    for (unsigned i = 0; i < kWarmUps; i++) well &= spawn();
    long forks = metric("forks_total"), execs = metric("execs_total");
    uint64_t values[kRepetitions], sum = 0;
    for (uint64_t& value : values) {
        uint64_t start = ticks();
        well &= spawn();
        value = ticks() - start;
        sum += value;
    }
    check("every_child_ended_well", well);
    check_equal("forks", kRepetitions, metric("forks_total") - forks);
    check_equal("execs", kRepetitions, metric("execs_total") - execs);
    report("memory_hash", "%#lx", hash_bytes(memory, kResident));
    report_figure("spawn", figure_of(values, kRepetitions, 1), kRepetitions);
    report("spawn_raw", "%lu %u", sum, kRepetitions);
    return check_summary("spawn");
}
