// Lab 6, job_control.cc: process groups, sessions and what they share with their terminal
// (POSIX XBD 11.1.4 "Terminal Access Control", XSH 2.4.3 "Signal Actions").
//
// The kernel calls these under process_tree and carries out what they decide. In starter form
// nobody is in the background, no group is an orphan, and parents learn of ends only.
#pragma once
#include "kernel/task/process.h"

// What is no longer pending once `signal` is sent: stop signals and SIGCONT cancel each
// other. Any context.
SignalSet job_control_cancels(int signal);
// Does the process stop when it takes `signal`, of kStopSignals, with its default action? Not
// in an orphaned group, which nobody would continue; SIGSTOP stops anybody. A group is
// orphaned unless a member's parent is in another group of the same session (XBD 3.264).
bool job_control_stops(const Process& process, int signal) REQUIRES(process_tree);
// The process has stopped or goes on: when that differs from Process::stop_reported, which
// follows, its parent gets a stop_event to wait for (wait4(2): the status; 0xffff: continued),
// and SIGCHLD with CLD_STOPPED or CLD_CONTINUED unless it set SA_NOCLDSTOP.
void job_control_report(Process& process) REQUIRES(process_tree);
// The calling thread uses its controlling terminal, whose foreground group is another:
// `signal` is SIGTTIN to read, SIGTTOU to write or set up. Returns the signal when the group
// is to get it; 0: go ahead; -EIO: the call fails. A thread that blocks or ignores SIGTTOU
// may go ahead; one that does so with SIGTTIN, or whose group is orphaned, fails.
int job_control_check(const Thread& thread, int signal) REQUIRES(process_tree);
// May `group` become the foreground group of the session's terminal? ESRCH: there is none,
// EPERM: it is of another session.
Result<void> job_control_may_lead(int32_t group, int32_t session) REQUIRES(process_tree);
// The process, a zombie already but still with its children, leaves its group: each group
// that this orphans and that has a stopped member gets SIGHUP, then SIGCONT (XSH exit(3)).
void job_control_leave(Process& process) REQUIRES(process_tree);
