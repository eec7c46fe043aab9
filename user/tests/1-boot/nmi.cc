// Lab 1: NMIs arrive while every CPU is busy in user mode and in the kernel; the host sends
// them while we wait for it. Workers hash a file of the host's again and again, by small
// reads, and must find the same hash each time.
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "user/tests/lib/check.h"
#include "user/tests/lib/child.h"
#include "user/tests/lib/figure.h"
#include "user/tests/lib/report.h"

namespace {

struct Shared {
    volatile uint64_t stop, rounds[16];
};

uint64_t hash_file() {
    char piece[97];
    int fd = open("/run/mello/data/small", O_RDONLY);
    uint64_t hash = kHashStart;
    for (ssize_t got; (got = read(fd, piece, sizeof piece)) > 0;)
        hash = hash_bytes(piece, got, hash);
    close(fd);
    return hash;
}

int work(Shared& shared, unsigned number, uint64_t expected) {
    while (shared.stop == 0) {
        if (hash_file() != expected) return 1;
        shared.rounds[number] = shared.rounds[number] + 1;
    }
    return 0;
}

}  // namespace

int main() {
    void* memory = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!check("nmi.shared_memory", memory != MAP_FAILED)) return 1;
    Shared& shared = *static_cast<Shared*>(memory);
    uint64_t expected = hash_file();
    report("nmi_hash", "%#lx", expected);
    unsigned workers = cpu_count();
    if (workers > 16) workers = 16;
    pid_t pids[16];
    for (unsigned i = 0; i < workers; i++)
        pids[i] = start_child([&] { return work(shared, i, expected); });
    wait_for_host();
    shared.stop = 1;
    for (unsigned i = 0; i < workers; i++) {
        char name[32];
        snprintf(name, sizeof name, "nmi.worker_%u", i);
        check_exited(name, 0, wait_status(pids[i]));
    }
    return check_summary("nmi");
}
