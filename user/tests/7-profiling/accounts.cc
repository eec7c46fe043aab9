// /proc/stat and /proc/<pid>/stat, before and after work of a size that the host chose.
//
// Host data, in ms: `user_ms` of computing, `system_ms` in system calls, `idle_ms` asleep;
// `forks` children, `child_ms` that one of them computes, `switches` turns of two processes
// through pipes. Reported, as differences: `cpu USER SYSTEM IDLE` of each phase by its name,
// `self UTIME STIME CUTIME CSTIME`, `processes`, `ctxt`, `intr`; `cpus_sum`: how far the line
// `cpu` is from the sum of the others; `running`, `uptime_btime`.
#include <sys/wait.h>
#include <time.h>

#include "user/tests/7-profiling/proc.h"

namespace {

struct Stat {
    unsigned long user, system, idle, interrupts, switches, forks, boot;
    long sum_off, cpus;
};

Stat read_stat() {
    const char* text = read_file("/proc/stat");
    Stat s{};
    sscanf(text, "cpu %lu %*u %lu %lu", &s.user, &s.system, &s.idle);
    unsigned long all = 0;
    for (const char* line = text; (line = strstr(line, "\ncpu")) != nullptr; line++) {
        unsigned long user = 0, system = 0, idle = 0;
        if (sscanf(line, "\ncpu%*u %lu %*u %lu %lu", &user, &system, &idle) != 3) continue;
        all += user + system + idle;
        s.cpus++;
    }
    s.sum_off = static_cast<long>(s.user + s.system + s.idle) - static_cast<long>(all);
    s.interrupts = static_cast<unsigned long>(number_after(text, "intr "));
    s.switches = static_cast<unsigned long>(number_after(text, "ctxt "));
    s.forks = static_cast<unsigned long>(number_after(text, "processes "));
    s.boot = static_cast<unsigned long>(number_after(text, "btime "));
    return s;
}

void report_phase(const char* name, const Stat& from, const Stat& to) {
    report(name, "%lu %lu %lu", to.user - from.user, to.system - from.system,
           to.idle - from.idle);
}

void take_turns(uint64_t turns) {
    int forth[2], back[2];
    if (pipe(forth) != 0 || pipe(back) != 0) _exit(102);
    pid_t child = fork();
    char byte = 0;
    if (child == 0) {
        for (uint64_t i = 0; i < turns; i++)
            if (read(forth[0], &byte, 1) != 1 || write(back[1], &byte, 1) != 1) _exit(1);
        _exit(0);
    }
    for (uint64_t i = 0; i < turns; i++)
        if (write(forth[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1) break;
    int status = -1;
    waitpid(child, &status, 0);
    check_equal("accounts.turns", 0, status);
}

}  // namespace

int main() {
    uint64_t user_ms = host_number("user_ms", 100), system_ms = host_number("system_ms", 100);
    uint64_t idle_ms = host_number("idle_ms", 100), child_ms = host_number("child_ms", 50);
    uint64_t forks = host_number("forks", 5), switches = host_number("switches", 100);

    Stat start = read_stat();
    spin_ticks(user_ms * kTicksAMillisecond);
    Stat computed = read_stat();
    report_phase("phase_user", start, computed);

    static char buffer[65536];
    int zero = open("/dev/zero", O_RDONLY);
    for (uint64_t from = ticks(); ticks() - from < system_ms * kTicksAMillisecond;)
        if (read(zero, buffer, sizeof buffer) != sizeof buffer) return 103;
    Stat called = read_stat();
    report_phase("phase_system", computed, called);

    timespec pause = {static_cast<time_t>(idle_ms / 1000),
                      static_cast<long>(idle_ms % 1000 * 1'000'000)};
    nanosleep(&pause, nullptr);
    Stat slept = read_stat();
    report_phase("phase_idle", called, slept);

    for (uint64_t i = 0; i < forks; i++) {
        pid_t child = fork();
        if (child == 0) {
            if (i == 0) spin_ticks(child_ms * kTicksAMillisecond);
            _exit(0);
        }
        waitpid(child, nullptr, 0);
    }
    Stat forked = read_stat();
    report("processes", "%lu", forked.forks - slept.forks);
    report("forked_switches", "%lu", forked.switches - slept.switches);

    take_turns(switches);
    Stat end = read_stat();
    report("ctxt", "%lu", end.switches - forked.switches);
    report("intr", "%lu", end.interrupts - start.interrupts);
    report("cpus_sum", "%ld %ld", end.sum_off, end.cpus);
    report("running", "%ld", number_after(read_file("/proc/stat"), "procs_running "));
    timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    double uptime = atof(read_file("/proc/uptime"));
    report("boot_off", "%ld",
           static_cast<long>(now.tv_sec) - static_cast<long>(uptime) - static_cast<long>(end.boot));

    const char* self = strrchr(read_file("/proc/self/stat"), ')');
    unsigned long utime = 0, stime = 0, cutime = 0, cstime = 0;
    sscanf(self, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %lu %lu", &utime, &stime,
           &cutime, &cstime);
    report("self", "%lu %lu %lu %lu", utime, stime, cutime, cstime);
    return check_summary("accounts");
}
