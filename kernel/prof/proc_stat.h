// /proc/stat and /proc/<pid>/stat: what top, ps and vmstat compute from (proc(5)). The
// kernel takes the snapshot, lab 7's proc_stat.cc writes it down. No hardware, no locks.
#pragma once
#include <span>

#include "kernel/base/format.h"
#include "kernel/metrics/counters.h"

// The unit of time in both files: 1/100 s, whatever the scheduler's tick (sysconf(3),
// _SC_CLK_TCK).
inline constexpr uint64_t kNanosecondsPerTick = 10'000'000;

struct SystemSnapshot {
    std::span<const CpuUsage> cpus;
    uint64_t interrupts;        // of timers and between CPUs, all CPUs
    uint64_t context_switches;
    uint64_t boot_time;         // seconds since 1970
    uint64_t forks;
    uint64_t running;           // threads that run or could
    uint64_t blocked;           // threads in an uninterruptible sleep
};

struct ProcessSnapshot {
    int32_t pid, parent, group, session;
    char name[16];
    char state;                 // R S D T Z
    uint32_t terminal;          // device number, 0: none
    int32_t foreground_group;   // of the terminal, -1: none
    uint64_t minor_faults;
    uint64_t user_ns, system_ns, children_user_ns, children_system_ns;
    uint32_t threads;
    uint64_t start_ns;          // since boot
    uint64_t virtual_bytes, resident_pages, resident_limit;
    uint64_t code_start, code_end, stack_start;
    uint64_t instruction, stack_pointer;
    int32_t exit_signal, last_cpu;
    uint32_t umask;                          // this and the rest: /proc/<pid>/status alone
    uint64_t switches_voluntary, switches_involuntary;
};

// ---- Lab 7, proc_stat.cc ----

// The text of /proc/stat: the line `cpu` with the sums, a line `cpu<n>` for each CPU
// (user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice), then intr,
// ctxt, btime, processes, procs_running, procs_blocked.
void format_system_stat(TextSink& out, const SystemSnapshot& snapshot);
// The one line of /proc/<pid>/stat: 52 fields, proc(5); what we do not have is 0.
void format_process_stat(TextSink& out, const ProcessSnapshot& snapshot);
