// Lab 6: job control.
//
// The starter knows no background: every process may use its terminal and give it to any
// group, a stop signal stops whoever takes it, a parent waits for the end of its children
// alone. A stop that crosses a SIGCONT may win, and a job whose shell is gone stays stopped.
//
// Handout: handouts/6-signals.md. Contracts: kernel/task/job_control.h.
#include "kernel/task/job_control.h"

SignalSet job_control_cancels(int) { return 0; }

bool job_control_stops(const Process&, int) { return true; }

void job_control_report(Process&) {}

int job_control_check(const Thread&, int) { return 0; }

Result<void> job_control_may_lead(int32_t, int32_t) { return {}; }

void job_control_leave(Process&) {}
