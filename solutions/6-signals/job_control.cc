// Lab 6: job control.
//
// Everything here turns on one relation: the parent that shares a process's session but not
// its group, usually the shell, is the one who can continue it. A group of which no member
// has such a parent must never be left stopped.
//
// Zombies are members of nothing: they can neither be continued nor continue anybody.
//
// Handout: handouts/6-signals.md. Contracts: kernel/task/job_control.h.
#include "kernel/task/job_control.h"

namespace {

constexpr uint32_t kContinuedEvent = 0xffff, kStoppedEvent = 0x7f;  // wait4(2)

// Could `parent` continue the group of its child?
bool controls_group(const Process& parent, const Process& child) {
    return parent.session == child.session && parent.group != child.group;
}

bool is_orphaned(int32_t group) REQUIRES(process_tree) {
    for (Process& process : all_processes) {
        if (process.group != group || process.state == ProcessState::Zombie) continue;
        const Process* parent = process.parent;
        if (parent == nullptr || parent->state == ProcessState::Zombie) continue;
        if (controls_group(*parent, process)) return false;
    }
    return true;
}

// `parent` is no more the one who continues `child`: is anybody else?
void release_group(const Process& parent, const Process& child) REQUIRES(process_tree) {
    if (!controls_group(parent, child) || !is_orphaned(child.group)) return;
    for (Process& process : all_processes) {
        if (process.group != child.group || !process.stopped.load()) continue;
        (void)post_group_signal(child.group, SIGHUP);
        (void)post_group_signal(child.group, SIGCONT);
        return;
    }
}

}  // namespace

SignalSet job_control_cancels(int signal) {
    if (signal == SIGCONT) return kStopSignals;
    return (signal_bit(signal) & kStopSignals) != 0 ? signal_bit(SIGCONT) : 0;
}

bool job_control_stops(const Process& process, int signal) {
    return signal == SIGSTOP || !is_orphaned(process.group);
}

void job_control_report(Process& process) {
    const bool stopped = process.stopped.load();
    if (process.stop_reported == stopped || process.parent == nullptr) return;
    process.stop_reported = stopped;
    int16_t signal = stopped ? process.stop_signal : int16_t{SIGCONT};
    process.stop_event = stopped ? kStoppedEvent | signal << 8 : kContinuedEvent;
    uint64_t flags = process.parent->signals.actions->get(SIGCHLD).flags;
    child_changed(process, (flags & SA_NOCLDSTOP) != 0 ? 0 : SIGCHLD,
                  {process.pid, stopped ? CLD_STOPPED : CLD_CONTINUED, signal});
}

int job_control_check(const Thread& thread, int signal) {
    Process& process = *thread.process;
    if ((signal_mask(thread) & signal_bit(signal)) != 0 || process.signals.actions->ignores(signal))
        return signal == SIGTTIN ? -EIO : 0;
    return is_orphaned(process.group) ? -EIO : signal;
}

Result<void> job_control_may_lead(int32_t group, int32_t session) {
    for (Process& process : all_processes) {
        if (process.group != group) continue;
        return process.session == session ? Result<void>{} : Error(EPERM);
    }
    return Error(ESRCH);
}

void job_control_leave(Process& process) {
    release_group(*process.parent, process);
    for (Process& child : process.children) release_group(process, child);
}
