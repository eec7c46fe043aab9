// All CPUs are sampled while somebody reads: processes compute, call, fault and switch.
//
// Host data: `crowd_seed`, `crowd_rounds`. Each of eight workers works on its own sequence and
// gives its sum; the parent reads the profile all the time. Reported: `crowd_sum`, `crowd TAKEN
// DROPPED LINES MALFORMED UNNAMED`.
#include <sys/wait.h>

#include "user/tests/7-profiling/proc.h"

namespace {

constexpr unsigned kWorkers = 8;

uint64_t work(uint64_t seed, uint64_t rounds) {
    static char page[65536];
    int ends[2];
    if (pipe(ends) != 0) return 0;
    Sequence sequence(seed);
    uint64_t sum = 0;
    for (uint64_t i = 0; i < rounds; i++) {
        sum += sequence.next();
        if (i % 64 != 0) continue;
        size_t size = 1 + sequence.below(4096);
        if (write(ends[1], page, size) < 0 || read(ends[0], page, size) < 0) return 0;
        sum += getppid() != 0;
    }
    return sum;
}

unsigned long lines, malformed, unnamed, names;

// "worker;frame;frame 1"
void take() {
    char* rest = read_file("/proc/profile", 1);
    for (char* line; (line = strsep(&rest, "\n")) != nullptr && *line != '\0';) {
        char* space = strrchr(line, ' ');
        unsigned long times = space == nullptr ? 0 : strtoul(space + 1, nullptr, 10);
        malformed += times == 0 || strchr(line, ';') == nullptr || *line == ';';
        lines += times;
        if (strstr(line, ";?") != nullptr) unnamed += times;
        if (strncmp(line, "crowd;", 6) == 0) names += times;
    }
}

}  // namespace

int main() {
    uint64_t seed = host_number("crowd_seed", 1), rounds = host_number("crowd_rounds", 100'000);
    check("crowd.on", switch_file("/proc/profile", true));
    int sums[2];
    if (pipe(sums) != 0) return 100;
    for (unsigned i = 0; i < kWorkers; i++) {
        if (fork() != 0) continue;
        uint64_t sum = work(seed + i, rounds);
        _exit(write(sums[1], &sum, sizeof sum) == sizeof sum ? 0 : 1);
    }
    unsigned ended = 0, failed = 0;
    while (ended < kWorkers) {
        take();
        int status;
        while (waitpid(-1, &status, WNOHANG) > 0) ended++, failed += status != 0;
    }
    check("crowd.off", switch_file("/proc/profile", false));
    take();
    check_equal("crowd.failed", 0, failed);
    uint64_t total = 0, sum;
    for (unsigned i = 0; i < kWorkers; i++)
        if (read(sums[0], &sum, sizeof sum) == sizeof sum) total += sum;
    report("crowd_sum", "%#lx", total);
    report("crowd", "%ld %ld %lu %lu %lu", metric("samples_total"),
           metric("samples_dropped_total"), lines, malformed, unnamed);
    report("crowd_named", "%lu", names);
    return check_summary("crowd");
}
