// Idle CPUs, for the host to look at. All CPUs run something for a moment; then nothing is to
// be done for a while, which /proc/stat must show as idle time; then the host stops the
// machine and looks: this program spins on one CPU, the others must be halted.
//
//
// Reported: `idle_percent`, of the time of all CPUs during a sleep; `state_hash`, over host
// data `state_blob`.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "user/tests/4-sched/crew.h"
#include "user/tests/lib/report.h"

namespace {

// The fourth number of each "cpuN" line: hundredths of a second.
uint64_t idle_hundredths() {
    static char text[16384];
    int file = open("/proc/stat", O_RDONLY);
    size_t have = 0;
    ssize_t got;
    while ((got = read(file, text + have, sizeof text - 1 - have)) > 0) have += got;
    close(file);
    text[have] = 0;
    uint64_t sum = 0;
    for (const char* line = text; line != nullptr && *line != 0;) {
        unsigned cpu;
        unsigned long user, nice, system, idle;
        if (sscanf(line, "cpu%u %lu %lu %lu %lu", &cpu, &user, &nice, &system, &idle) == 5) {
            sum += idle;
        }
        line = strchr(line, '\n');
        if (line != nullptr) line++;
    }
    return sum;
}

}  // namespace

int main() {
    unsigned cpus = cpu_count();
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned cpu = 0; cpu < cpus; cpu++) {
            pin_to_cpu(cpu);
            for (int i = 0; i < 10000; i++) asm volatile("");
        }
    }
    pin_to_cpu(0);
    sleep_us(20'000);
    uint64_t start = now_us(), idle = idle_hundredths();
    sleep_us(400'000);
    idle = idle_hundredths() - idle;
    uint64_t hundredths = (now_us() - start) / 10'000 * cpus;
    report("idle_percent", "%lu", idle * 100 / hundredths);
    wait_for_host("inspect");
    std::string_view blob = host_data("state_blob");
    report("state_hash", "%#lx", hash_bytes(blob.data(), blob.size()));
    return check_summary("state");
}
