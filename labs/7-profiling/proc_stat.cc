// /proc/stat and /proc/<pid>/stat (contracts in kernel/prof/proc_stat.h, formats in
// proc(5)).
//
// This is the starter: who and what, but every counter and every time reads zero. So ps
// lists processes with no CPU time, and top divides nothing by nothing.
//
// Your part: fill in what the snapshots hold. Times are in ticks of 1/100 s; make sums in
// nanoseconds and round once.
#include "kernel/prof/proc_stat.h"

void format_system_stat(TextSink& out, const SystemSnapshot& snapshot) {
    format(out, "cpu  0 0 0 0 0 0 0 0 0 0\n");
    for (unsigned number = 0; number < snapshot.cpus.size(); ++number) {
        format(out, "cpu%u 0 0 0 0 0 0 0 0 0 0\n", number);
    }
    format(out, "intr 0\nctxt 0\nbtime 0\nprocesses 0\nprocs_running 0\nprocs_blocked 0\n");
}

void format_process_stat(TextSink& out, const ProcessSnapshot& p) {
    // 1..8: pid (name) state ppid pgrp session tty_nr tpgid
    format(out, "%d (%s) %c %d %d %d %u %d", p.pid, p.name, p.state, p.parent, p.group,
           p.session, p.terminal, p.foreground_group);
    // 9..52
    for (int field = 9; field <= 52; ++field) format(out, " 0");
    format(out, "\n");
}
