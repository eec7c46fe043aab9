// Lab 2: four CPUs allocate and free frames as fast as they can, each in a process of its own.
// Reported: how often one waited for the lock of the shared frame list, by the kernel's own
// counter (frame_lock_waits in /proc/metrics), and how much was done.
#include "user/tests/2-paging/pages.h"
#include "user/tests/lib/child.h"
#include "user/tests/lib/figure.h"
#include "user/tests/lib/report.h"

namespace {

constexpr unsigned kCpus = 4;
constexpr size_t kPages = 30, kRounds = 30;

int allocate(unsigned cpu, Gate& gate) {
    pin_to_cpu(cpu);
    gate.arrive();
    gate.wait(kCpus);
    for (size_t round = 0; round < kRounds; round++) {
        char* memory = map_pages(kPages);
        int not_zero = 0;
        for (size_t i = 0; i < kPages; i++) {
            not_zero |= byte_at(memory + i * kPage);
            byte_at(memory + i * kPage) = static_cast<char>(1 + cpu);
        }
        munmap(memory, kPages * kPage);
        if (not_zero != 0) return 1;
    }
    return 0;
}

// Everybody works at the same time; how many waits that took.
long waits_of_a_run() {
    static Gate gate;
    gate.open(0);
    long before = metric("frame_lock_waits_total");
    pid_t children[kCpus];
    for (unsigned i = 0; i < kCpus; i++)
        children[i] = start_child([i] { return allocate(i, gate); });
    for (pid_t child : children) check_exited("worker", 0, wait_status(child));
    return metric("frame_lock_waits_total") - before;
}

}  // namespace

int main() {
    check_group("contention");
    check_equal("cpus", kCpus, cpu_count());
    long faults = metric("page_faults_total");
    waits_of_a_run();  // warms up
    long waits = waits_of_a_run();
    faults = metric("page_faults_total") - faults;
    check("every_page_was_a_fault",
          faults >= static_cast<long>(2 * kCpus * kPages * kRounds));
    report("frame_lock_waits", "%ld", waits);
    return check_summary("contention");
}
