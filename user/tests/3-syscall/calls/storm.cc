// Lab 3, `calls storm`: two processes a CPU make system calls of many kinds as fast as they
// can, each with random registers, a stack and a GS base of its own, and check every register
// after every call. The timer preempts them in user mode and on the way out of the kernel;
// the host sends NMIs to all CPUs while the parent waits for it.
//
// What one CPU or one thread alone cannot show: a user RSP left in per-CPU memory across a
// switch, SWAPGS out of balance after an interrupt, registers of another process.
#include <alloca.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "user/tests/3-syscall/calls/calls.h"
#include "user/tests/lib/child.h"
#include "user/tests/lib/figure.h"

namespace {

constexpr unsigned kMaxWorkers = 32;
constexpr uint64_t kLeastRounds = 150;  // of each worker, however fast the host is done
constexpr int ARCH_SET_GS = 0x1001;
constexpr uint64_t kUnmapped = 0x1123;

struct Shared {
    volatile uint64_t stop;
    volatile uint64_t rounds[kMaxWorkers];
};

uint64_t read_gs_word() {
    uint64_t word;
    asm volatile("mov %%gs:0, %0" : "=r"(word));
    return word;
}

// The kernel's own access to this page is the first, so the call page-faults in ring 0.
void fault_inside(Sequence& random, uint64_t expected_length) {
    void* fresh = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check_equal("storm.fault_inside_result", expected_length,
                probed_call("storm.fault_inside", random, SYS_getcwd, address(fresh), 4096));
    munmap(fresh, 4096);
}

void one_round(Sequence& random, uint64_t parent, uint64_t cwd_length) {
    check_equal("storm.result", parent, probed_call("storm.null_call", random, SYS_getppid));
    probed_call("storm.yield", random, SYS_sched_yield);
    check_equal("storm.error_result", -EBADF,
                probed_call("storm.error", random, SYS_read, 9999, 0, 1));
    check_equal("storm.fault_result", -EFAULT,
                probed_call("storm.fault", random, SYS_uname, kUnmapped));
    check_equal("storm.unknown_result", -ENOSYS, probed_call("storm.unknown", random, 4000));
    fault_inside(random, cwd_length);
}

int work(Shared& shared, unsigned number, unsigned cpus) {
    // Children of one parent have the same addresses: without this all RSPs were equal.
    auto* away = static_cast<volatile char*>(alloca(64 + 208 * number));
    away[0] = 0;
    uint64_t gs_word = 0x1122334400000000 + number;
    if (!pin_to_cpu(number % cpus) || syscall(SYS_arch_prctl, ARCH_SET_GS, &gs_word) != 0) {
        return 2;
    }
    check_quietly(true);
    Sequence random(0x5701 + number);
    char name[256];
    long cwd_length = syscall(SYS_getcwd, name, sizeof name);
    uint64_t parent = getppid();
    while (shared.stop == 0 && check_counts().failures == 0) {
        one_round(random, parent, cwd_length);
        check_equal("storm.gs_word", gs_word, read_gs_word());
        shared.rounds[number] = shared.rounds[number] + 1;
    }
    return check_counts().failures != 0;
}

struct Worker {
    pid_t pid;
    int status;
    bool ended;
};

// True when every worker has done its least, or ended before.
bool enough_rounds(const Shared& shared, Worker* workers, unsigned count) {
    bool enough = true;
    for (unsigned i = 0; i < count; i++) {
        Worker& worker = workers[i];
        if (!worker.ended) worker.ended = waitpid(worker.pid, &worker.status, WNOHANG) != 0;
        if (!worker.ended && shared.rounds[i] < kLeastRounds) enough = false;
    }
    return enough;
}

}  // namespace

int storm() {
    void* memory = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!check("storm.shared_memory", memory != MAP_FAILED)) return 1;
    Shared& shared = *static_cast<Shared*>(memory);
    unsigned cpus = cpu_count(), count = std::min(2 * cpus, kMaxWorkers);
    Worker workers[kMaxWorkers] = {};
    for (unsigned i = 0; i < count; i++) {
        workers[i].pid = start_child([&] { return work(shared, i, cpus); });
    }
    wait_for_host();
    while (!enough_rounds(shared, workers, count)) sched_yield();
    shared.stop = 1;
    for (unsigned i = 0; i < count; i++) {
        Worker& worker = workers[i];
        if (!worker.ended) worker.status = wait_status(worker.pid);
        check_exited("storm.worker", 0, worker.status);
    }
    report("storm_cpus", "%u", cpus);
    return check_summary("storm");
}
