// The terminal's control side: ioctl(2), termios, job control, sessions (Linux
// ioctl_tty(2), POSIX XBD 11.1.3 "The Controlling Terminal", 11.1.4 "Terminal Access
// Control").
//
// Lock order: process_tree, then the terminal's mutex. `session_` and `foreground_` are
// written under process_tree and read without it where a stale answer does no harm.
#include "kernel/mm/user_access.h"
#include "kernel/task/job_control.h"
#include "kernel/tty/terminal.h"

namespace {

// The calling process, or nullptr in a kernel thread.
Process* calling_process() { return current_thread()->process; }

}  // namespace

bool Terminal::controls(const Process& process) const {
    return process.terminal == this && process.session == session_;
}

Result<void> Terminal::check_foreground(Use use) {
    Process* process = calling_process();
    if (process == nullptr || !controls(*process)) return {};
    const int32_t foreground = foreground_group();
    if (foreground == 0 || process->group == foreground) [[likely]] return {};
    if (use == Use::Write) {
        MutexGuard guard(mutex_);
        if ((line_.termios.lflag & TOSTOP) == 0) return {};
    }
    MutexGuard tree(process_tree);
    Thread& thread = *current_thread();
    int verdict = job_control_check(thread, use == Use::Read ? SIGTTIN : SIGTTOU);
    if (verdict == 0) return {};
    if (verdict < 0) return Error(-verdict);
    (void)post_group_signal(process->group, verdict);
    thread.set_attention(kAttentionSignal);  // whichever thread takes it, this call restarts
    return Error(kERESTARTSYS);
}

// ---- Sessions ----

Result<void> Terminal::become_controlling(bool steal) {
    Process* process = calling_process();
    if (process == nullptr) return Error(EPERM);
    MutexGuard tree(process_tree);
    if (controls(*process)) return {};
    if (process->session != process->pid) return Error(EPERM);
    Terminal* other = process->terminal;
    if (other != nullptr && other->controls(*process)) return Error(EPERM);
    if (session_ != 0 && !steal) {
        // A session whose leader is gone has lost its terminal.
        Process* leader = find_process(session_);
        if (leader != nullptr && leader->state == ProcessState::Alive && controls(*leader))
            return Error(EPERM);
    }
    detach_session();
    process->terminal = this;
    session_ = process->session;
    foreground_ = process->group;
    return {};
}

void Terminal::end_session() {
    // The session's leader is the process of that number (POSIX XBD 11.1.11).
    Process* leader = session_ != 0 ? find_process(session_) : nullptr;
    for (int signal : {SIGHUP, SIGCONT}) {
        if (leader != nullptr) post_signal(*leader, signal);
        if (foreground_ != 0) (void)post_group_signal(foreground_, signal);
    }
    detach_session();
}

// No process has this terminal as its controlling one any more.
void Terminal::detach_session() {
    session_ = 0;
    foreground_ = 0;
    for (Process& process : all_processes)
        if (process.terminal == this) process.terminal = nullptr;
}

Result<void> Terminal::set_foreground(VirtAddr argument) {
    int32_t group = TRY(UserIn<int32_t>(argument).read());
    Process* process = calling_process();
    if (process == nullptr || !controls(*process)) return Error(ENOTTY);
    TRY(check_foreground(Use::Change));
    if (group < 0) return Error(EINVAL);
    MutexGuard tree(process_tree);
    if (!controls(*process)) return Error(ENOTTY);
    TRY(job_control_may_lead(group, process->session));
    foreground_ = group;
    return {};
}

// ---- Attributes ----

Result<void> Terminal::set_termios(VirtAddr argument, uint32_t request) {
    abi::Termios termios = TRY(UserIn<abi::Termios>(argument).read());
    TRY(check_foreground(Use::Change));
    {
        // Output is delivered as it is written, so TCSETSW has nothing to wait for.
        MutexGuard guard(mutex_);
        if (request == TCSETSF) line_flush_input(line_);
        line_set_termios(line_, termios);
    }
    // What counts as readable, and whether output is held, may have changed.
    input_changed();
    room_changed();
    output_ready();
    return {};
}

Result<void> Terminal::flush_queues(uint64_t which) {
    if (which > TCIOFLUSH) return Error(EINVAL);
    TRY(check_foreground(Use::Change));
    {
        MutexGuard guard(mutex_);
        if (which != TCOFLUSH) line_flush_input(line_);
        if (which != TCIFLUSH) device_.flush();
    }
    room_changed();
    output_ready();
    return {};
}

abi::WindowSize Terminal::window_size() {
    MutexGuard guard(mutex_);
    return window_;
}

void Terminal::set_window_size(const abi::WindowSize& size) {
    {
        MutexGuard guard(mutex_);
        if (size == window_) return;
        window_ = size;
    }
    if (int32_t group = foreground_group(); group != 0) signal_process_group(group, SIGWINCH);
}

// ---- ioctl(2) ----

Result<void> Terminal::ioctl(uint32_t request, VirtAddr argument) {
    if (hung_up_) return Error(EIO);
    UserOut<int32_t> number(argument);
    switch (request) {
        case TCGETS: {
            abi::Termios termios;
            {
                MutexGuard guard(mutex_);
                termios = line_.termios;
            }
            return UserOut<abi::Termios>(argument).write(termios);
        }
        case TCSETS:
        case TCSETSW:
        case TCSETSF: return set_termios(argument, request);
        case TCFLSH: return flush_queues(argument);
        // A break, or tcdrain(3): output is delivered as it is written.
        case TCSBRK: return check_foreground(Use::Change);
        case TIOCGWINSZ: return UserOut<abi::WindowSize>(argument).write(window_size());
        case TIOCSWINSZ:
            set_window_size(TRY(UserIn<abi::WindowSize>(argument).read()));
            return {};
        case FIONREAD: {
            size_t available;
            {
                MutexGuard guard(mutex_);
                available = line_available(line_);
            }
            return number.write(static_cast<int32_t>(available));
        }
        case TIOCSCTTY: return become_controlling(argument == 1);
        case TIOCSPGRP: return set_foreground(argument);
        case TIOCGPGRP:
        case TIOCGSID: {
            Process* process = calling_process();
            if (process == nullptr || !controls(*process)) return Error(ENOTTY);
            return number.write(request == TIOCGSID ? session() : foreground_group());
        }
        default: return Error(ENOTTY);
    }
}
