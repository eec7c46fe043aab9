// /proc/stat and /proc/<pid>/stat (contracts in kernel/prof/proc_stat.h, formats in
// proc(5)).
//
// Sums over CPUs are made in nanoseconds and rounded once: rounding each CPU first would
// lose up to a tick for each, and then the first line would not be the sum that readers
// subtract.
#include "kernel/prof/proc_stat.h"

namespace {

uint64_t ticks(uint64_t ns) { return ns / kNanosecondsPerTick; }

void format_cpu(TextSink& out, const CpuUsage& usage) {
    // user nice system idle iowait irq softirq steal guest guest_nice: interrupts count
    // as system time, and nobody waits for disks.
    format(out, " %lu 0 %lu %lu 0 0 0 0 0 0\n", ticks(usage.user_ns),
           ticks(usage.system_ns), ticks(usage.idle_ns));
}

}  // namespace

void format_system_stat(TextSink& out, const SystemSnapshot& snapshot) {
    CpuUsage sum{};
    for (const CpuUsage& usage : snapshot.cpus) {
        sum.user_ns += usage.user_ns;
        sum.system_ns += usage.system_ns;
        sum.idle_ns += usage.idle_ns;
    }
    format(out, "cpu ");
    format_cpu(out, sum);
    unsigned number = 0;
    for (const CpuUsage& usage : snapshot.cpus) {
        format(out, "cpu%u", number++);
        format_cpu(out, usage);
    }
    format(out, "intr %lu\nctxt %lu\nbtime %lu\nprocesses %lu\n", snapshot.interrupts,
           snapshot.context_switches, snapshot.boot_time, snapshot.forks);
    format(out, "procs_running %lu\nprocs_blocked %lu\n", snapshot.running,
           snapshot.blocked);
}

void format_process_stat(TextSink& out, const ProcessSnapshot& p) {
    // 1..8: the name stands in parentheses and may contain anything but a NUL.
    format(out, "%d (%s) %c %d %d %d %u %d", p.pid, p.name, p.state, p.parent, p.group,
           p.session, p.terminal, p.foreground_group);
    // 9..13: flags minflt cminflt majflt cmajflt
    format(out, " 0 %lu 0 0 0", p.minor_faults);
    // 14..17: utime stime cutime cstime
    format(out, " %lu %lu %lu %lu", ticks(p.user_ns), ticks(p.system_ns),
           ticks(p.children_user_ns), ticks(p.children_system_ns));
    // 18..22: priority nice threads itrealvalue starttime: all threads are equal
    format(out, " 20 0 %u 0 %lu", p.threads, ticks(p.start_ns));
    // 23..30: vsize rss rsslim startcode endcode startstack kstkesp kstkeip
    format(out, " %lu %lu %lu %lu %lu %lu %lu %lu", p.virtual_bytes, p.resident_pages,
           p.resident_limit, p.code_start, p.code_end, p.stack_start, p.stack_pointer,
           p.instruction);
    // 31..37: signal blocked sigignore sigcatch wchan nswap cnswap
    format(out, " 0 0 0 0 0 0 0");
    // 38..52: exit_signal processor rt_priority policy delayacct guest cguest, then data
    // and argument addresses and the exit code, which only the owner would see.
    format(out, " %d %d 0 0 0 0 0 0 0 0 0 0 0 0 0\n", p.exit_signal, p.last_cpu);
}
