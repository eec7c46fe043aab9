// Processes that come and go while others look for them: what the kernel's readers find
// without a lock (kernel/sched/rcu.h) must be there as long as they look at it, and what lasts
// must be seen by each of them.
//
//   rcu [seconds [seed]]     default 10 s, seed 1; 4 CPUs are the point of it
//
//   churners  fork children that end at once; half wait for them, half never have to
//   senders   kill(2) and tgkill(2) children of the last moment, mostly ended ones, and
//             processes that last: these are always found
//   walkers   list /proc, where what lasts appears once, and count processes (loadavg, sysinfo)
//   sleepers  make the list long
//
// A kernel that frees too early panics, hangs, or finds in freed memory what is not there;
// debug kernels poison it, and SAN=1 names it. Exit status 0 without any failure.
#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <time.h>

#include <atomic>

#include "user/tests/lib/child.h"
#include "user/tests/lib/report.h"
#include "user/tests/lib/shared_memory.h"

namespace {

constexpr int kKind = 4;  // churners, senders, walkers: that many of each
constexpr int kSleepers = 40;
constexpr int kLasting = 3 * kKind + kSleepers;
constexpr int kRecent = 32;

struct Shared {
    std::atomic<pid_t> recent[kRecent];  // children, the newest ones; most have ended
    std::atomic<pid_t> lasting[kLasting];
    std::atomic<bool> over;
    std::atomic<uint64_t> forks, found, gone, walks, failures;
};
Shared* shared;

void fail(const char* what, long detail) {
    shared->failures++;
    dprintf(1, "rcu: FAILED: %s (%ld, %s)\n", what, detail, strerror(errno));
}

int churn(Sequence random, bool waits) {
    if (!waits) signal(SIGCHLD, SIG_IGN);
    while (!shared->over) {
        pid_t child = fork();
        if (child == 0) _exit(0);
        if (child < 0) {
            fail("fork", child);
            continue;
        }
        shared->forks++;
        shared->recent[random.below(kRecent)] = child;
        int status = 0;
        if (waits && (waitpid(child, &status, 0) != child || status != 0)) fail("wait", status);
    }
    if (!waits && (wait(nullptr) != -1 || errno != ECHILD)) fail("wait for nobody", 0);
    return 0;
}

int send(Sequence random) {
    constexpr int kHarmless[] = {0, SIGCONT, SIGURG, SIGWINCH};
    while (!shared->over) {
        pid_t child = shared->recent[random.below(kRecent)];
        int signal = kHarmless[random.below(4)];
        bool thread = random.below(2) == 0;
        if (child != 0) {
            long result = thread ? syscall(SYS_tgkill, child, child, signal) : kill(child, signal);
            if (result != 0 && errno != ESRCH) fail("a child is signalled", child);
            (result == 0 ? shared->found : shared->gone)++;
        }
        pid_t lasting = shared->lasting[random.below(kLasting)];
        int process = kill(lasting, 0);
        long first_thread = syscall(SYS_tgkill, lasting, lasting, 0);
        if (shared->over) break;
        if (process != 0) fail("a process that lasts is not found", lasting);
        if (first_thread != 0) fail("a thread that lasts is not found", lasting);
    }
    return 0;
}

// One look, judged unless the others may have begun to end meanwhile.
bool look_around() {
    int seen[kLasting] = {}, threads = 0;
    DIR* directory = opendir("/proc");
    FILE* load = fopen("/proc/loadavg", "r");
    if (directory == nullptr || load == nullptr) return false;
    while (dirent* entry = readdir(directory)) {
        pid_t pid = atoi(entry->d_name);
        for (int i = 0; i < kLasting; i++) seen[i] += pid != 0 && pid == shared->lasting[i];
    }
    closedir(directory);
    struct sysinfo info = {};
    sysinfo(&info);
    char line[128] = {};
    if (fgets(line, sizeof line, load) != nullptr)
        sscanf(line, "%*s %*s %*s %*d/%d", &threads);
    fclose(load);
    if (shared->over) return true;
    for (int times : seen)
        if (times != 1) fail("a process that lasts is in /proc, times", times);
    if (info.procs < kLasting) fail("processes of sysinfo", info.procs);
    if (threads < kLasting) fail("threads of /proc/loadavg", threads);
    shared->walks++;
    return true;
}

int walk() {
    while (!shared->over)
        if (!look_around()) fail("/proc", 0);
    return 0;
}

int work(int i, uint64_t seed) {
    while (shared->lasting[kLasting - 1] == 0) sched_yield();  // all are listed
    Sequence random(seed * kLasting + i);
    if (i < kKind) return churn(random, i % 2 == 0);
    if (i < 2 * kKind) return send(random);
    if (i < 3 * kKind) return walk();
    for (;;) pause();
}

}  // namespace

int main(int argc, char** argv) {
    int seconds = argc > 1 ? atoi(argv[1]) : 10;
    uint64_t seed = argc > 2 ? strtoull(argv[2], nullptr, 0) : 1;
    shared = shared_memory<Shared>();
    pid_t workers[kLasting];
    for (int i = 0; i < kLasting; i++) {
        workers[i] = start_child([&] { return work(i, seed); });
        if (workers[i] < 0) fail("fork", i);
    }
    for (int i = 0; i < kLasting; i++) shared->lasting[i] = workers[i];
    timespec duration = {seconds, 0};
    nanosleep(&duration, nullptr);
    shared->over = true;
    for (int i = 0; i < 3 * kKind; i++)
        if (wait_status(workers[i]) != 0) fail("a worker's status", i);
    for (int i = 3 * kKind; i < kLasting; i++) kill(workers[i], SIGKILL);
    for (int i = 3 * kKind; i < kLasting; i++)
        if (wait_status(workers[i]) != SIGKILL) fail("a sleeper's status", i);
    if (shared->forks == 0 || shared->gone == 0 || shared->walks == 0) fail("no work was done", 0);
    printf("rcu: seed %lu, %d s: %lu forks, %lu children found and %lu gone, %lu walks; %lu failures\n",
           seed, seconds, shared->forks.load(), shared->found.load(), shared->gone.load(),
           shared->walks.load(), shared->failures.load());
    return shared->failures == 0 ? 0 : 1;
}
