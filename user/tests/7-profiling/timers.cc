// Latency timers of /proc/metrics: what they cost, and that they count what happened.
//
// Reported: `timer_off`, `timer_on`: ticks of a getppid with the timers off and on (figures),
// `timer_raw OFF ON CALLS` of the medians. Of a phase with `timer_calls` calls of getppid,
// `timer_sleeps` nanosleeps of 3 ms, and `timer_forks` children that exec /bin/true (host data):
// `counted KIND BEFORE AFTER` and `percentile KIND P NS`. Checked here: switches are
// counted, a summary comes into the log, and what began before a
// measurement is no part of it.
#include <sched.h>
#include <sys/klog.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "user/tests/7-profiling/proc.h"

namespace {

constexpr unsigned kRuns = 11;
const char* const kKinds[] = {"system_call", "page_fault", "fork", "exec", "signal_delivery"};
const char* const kQuantiles[] = {"0.000", "0.500", "0.950", "0.990", "1.000"};

[[gnu::noinline]] uint64_t call_many(uint64_t calls) {
    uint64_t start = ticks();
    for (uint64_t i = 0; i < calls; i++) {
        long result;
        asm volatile("syscall" : "=a"(result) : "a"(SYS_getppid) : "rcx", "r11", "memory");
    }
    return ticks() - start;
}

uint64_t measure(const char* name, uint64_t calls) {
    uint64_t values[kRuns];
    call_many(calls);
    for (uint64_t& value : values) value = call_many(calls);
    report_figure(name, figure_of(values, kRuns, calls), kRuns);
    return median_of(values, kRuns);
}

void take_signal(int) {}

// A child in pause(2), asleep.
pid_t start_sleeper() {
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    char path[40];
    snprintf(path, sizeof path, "/proc/%d/stat", child);
    while (strstr(read_file(path), ") S ") == nullptr) sched_yield();
    return child;
}

void end_sleeper(pid_t child) {
    int status = -1;
    kill(child, SIGUSR1);
    waitpid(child, &status, 0);
    check_equal("timers.sleeper", 0, status);
}

void check_generations() {
    check("timers.on", switch_file("/proc/metrics", true));
    pid_t child = start_sleeper();
    check("timers.off", switch_file("/proc/metrics", false));
    check("timers.on_again", switch_file("/proc/metrics", true));
    usleep(1'000'000);
    check("timers.on_a_third_time", switch_file("/proc/metrics", true));
    end_sleeper(child);  // a second in pause(2), nothing of it in this measurement
    check("timers.began_before",
          metric("latency_ns{of=\"system_call\",quantile=\"1.000\"}") < 900'000'000);
}

void check_log() {
    static char log[65536];
    int fd = open("/proc/metrics", O_WRONLY | O_CLOEXEC);
    check_equal("timers.log", 4, write(fd, "log\n", 4));
    check_fails("timers.nonsense", EINVAL, write(fd, "2", 1));
    close(fd);
    check("timers.read_log", klogctl(3 /* read all */, log, sizeof log - 1) > 0);
    const char* line = strstr(log, "latency         system_call ");
    unsigned long count = 0, median = 0, late = 0;
    check("timers.in_the_log", line != nullptr && sscanf(line, "%*s %*s %lu %lu %lu", &count,
                                                         &median, &late) == 3);
    check("timers.logged", count >= host_number("timer_calls", 1000));
    check("timers.logged_percentiles", median > 0 && late >= median);
}

void report_counts(long (&counts)[5]) {
    for (int i = 0; i < 5; i++) {
        char name[60];
        snprintf(name, sizeof name, "latency_ns_count{of=\"%s\"}", kKinds[i]);
        counts[i] = metric(name);
    }
}

}  // namespace

int main() {
    uint64_t calls = host_number("timer_calls", 1000);
    uint64_t sleeps = host_number("timer_sleeps", 20), forks = host_number("timer_forks", 5);
    check("timers.off", switch_file("/proc/metrics", false));
    uint64_t off = measure("timer_off", calls);
    check("timers.on", switch_file("/proc/metrics", true));
    uint64_t on = measure("timer_on", calls);
    report("timer_raw", "%lu %lu %lu", off, on, calls);

    // Anew, so that percentiles are of this phase alone.
    check("timers.again", switch_file("/proc/metrics", true));
    signal(SIGUSR1, take_signal);
    long before[5], after[5];
    report_counts(before);
    long calls_before = metric("system_calls_total"), faults_before = metric("page_faults_total");
    call_many(calls);
    timespec pause = {0, 3'000'000};
    for (uint64_t i = 0; i < sleeps; i++) nanosleep(&pause, nullptr);
    for (uint64_t i = 0; i < sleeps; i++) raise(SIGUSR1);
    for (uint64_t i = 0; i < forks; i++) {
        pid_t child = fork();
        if (child == 0) {
            execl("/bin/true", "true", nullptr);
            _exit(127);
        }
        int status = -1;
        waitpid(child, &status, 0);
        check_equal("timers.child", 0, status);
    }
    report_counts(after);
    check("timers.switches", metric("latency_ns_count{of=\"context_switch\"}") >=
                                 static_cast<long>(sleeps + forks));
    check_log();
    report("total", "system_call %ld", metric("system_calls_total") - calls_before);
    report("total", "page_fault %ld", metric("page_faults_total") - faults_before);
    for (int i = 0; i < 5; i++) report("counted", "%s %ld", kKinds[i], after[i] - before[i]);
    for (const char* quantile : kQuantiles) {
        char name[80];
        snprintf(name, sizeof name, "latency_ns{of=\"system_call\",quantile=\"%s\"}", quantile);
        report("percentile", "%s %ld", quantile, metric(name));
    }
    check_generations();
    check("timers.off", switch_file("/proc/metrics", false));
    return check_summary("timers");
}
