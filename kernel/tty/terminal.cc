// The terminal: its data path (reading, writing, polling, input from the device, hangup), then
// its control side: ioctl(2), termios, job control, sessions (Linux ioctl_tty(2), POSIX XBD
// 11.1.3 "The Controlling Terminal", 11.1.4 "Terminal Access Control").
//
// Lock order: process_tree, then the terminal's mutex. `session_` and `foreground_` are
// written under process_tree and read without it where a stale answer does no harm.
#include "kernel/tty/terminal.h"

#include "kernel/arch/tsc.h"
#include "kernel/mm/user_access.h"
#include "kernel/task/job_control.h"

namespace {
// An open terminal.
class TerminalFile final : public File {
  public:
    TerminalFile(Terminal& terminal, Inode& node, uint32_t flags)
        : File(node, flags), terminal_(terminal) {}
    ~TerminalFile() override { terminal_.file_closed(); }
    Result<size_t> read_at(IoBuffer& buffer, uint64_t) override {
        LatencyTimer timer(Latency::TerminalRead);
        return terminal_.read(buffer, nonblocking());
    }
    Result<size_t> write_at(IoBuffer& buffer, uint64_t) override {
        LatencyTimer timer(Latency::TerminalWrite);
        return terminal_.write(buffer, nonblocking());
    }
    uint32_t poll(uint32_t events, PollTable* table) override {
        return terminal_.poll(events, table);
    }
    Result<void> ioctl(uint32_t request, VirtAddr argument) override {
        return terminal_.ioctl(request, argument);
    }

  private:
    Terminal& terminal_;
};

}  // namespace

Terminal::Terminal(TerminalDevice& device, uint64_t number)
    : number(number), device_(device) {
    line_init(line_, device);
}

void Terminal::send_noted_signals() {
    SignalSet signals;
    {
        MutexGuard guard(mutex_);
        signals = std::exchange(device_.noted_signals, 0);
    }
    int32_t group = foreground_group();
    if (group == 0) return;
    for (; signals != 0; signals &= signals - 1)
        signal_process_group(group, __builtin_ctzll(signals) + 1);
}

// ---- Files ----

Result<File*> Terminal::open(Inode& node, uint32_t flags) {
    FileRef file(TRY(make<TerminalFile>(*this, node, flags)));
    {
        // Counted in any case: the File's end takes it back.
        MutexGuard guard(mutex_);
        if (open_files_++ == 0) device_.opened();
    }
    if (hung_up_) return Error(EIO);
    // Failing means only that somebody else's terminal stays his.
    if ((flags & O_NOCTTY) == 0) (void)become_controlling(false);
    return file.release();
}

void Terminal::file_closed() {
    MutexGuard guard(mutex_);
    if (--open_files_ == 0) device_.closed();
}

Result<size_t> Terminal::read(IoBuffer& buffer, bool nonblocking) {
    if (buffer.remaining() == 0) return 0;
    bool timed_out = false;
    for (;;) {
        TRY(check_foreground(Use::Read));
        const uint32_t seen = input_.now();
        LineWait wait;
        {
            MutexGuard guard(mutex_);
            if (hung_up_) return 0;
            wait = line_wait(line_, buffer.remaining());
            bool any = nonblocking && line_available(line_) > 0;
            if (wait.ready || timed_out || any) return transfer(buffer);
        }
        if (nonblocking) return Error(EAGAIN);
        uint64_t deadline = kNoDeadline;
        if (wait.timeout_ns != kLineNoTimeout) deadline = monotonic_ns() + wait.timeout_ns;
        Result<void> slept = input_.wait(seen, deadline);
        if (slept.ok()) continue;
        if (slept.error().number() != ETIMEDOUT) return slept.error();
        timed_out = true;
    }
}

// Moves what is there, at most to the end of a line. The bytes are consumed only once
// they have reached the reader.
Result<size_t> Terminal::transfer(IoBuffer& buffer) {
    if (line_take_eof(line_)) return 0;
    for (;;) {
        LineChunk chunk = line_next(line_, buffer.remaining());
        size_t moved = buffer.put(chunk.bytes.data(), chunk.bytes.size());
        line_consume(line_, moved);
        if (moved < chunk.bytes.size() || chunk.last) break;
    }
    room.happened();
    return buffer.moved();
}

Result<size_t> Terminal::write(IoBuffer& buffer, bool nonblocking) {
    TRY(check_foreground(Use::Write));
    for (;;) {
        const uint32_t seen = output_.now();
        {
            // Held for the whole call unless it has to wait: writes do not mix.
            MutexGuard guard(mutex_);
            if (hung_up_) return buffer.stop(EIO);
            write_some(buffer);
        }
        if (buffer.remaining() == 0 || buffer.faulted()) return buffer.moved();
        if (nonblocking) return buffer.stop(EAGAIN);
        Result<void> slept = output_.wait(seen);
        if (!slept.ok()) return buffer.stop(slept.error().number());
    }
}

// Writes until the buffer is empty, its memory faults or the device is full.
void Terminal::write_some(IoBuffer& buffer) {
    char chunk[512];
    while (buffer.remaining() > 0 && !buffer.faulted()) {
        size_t taken = buffer.take(chunk, sizeof chunk);
        size_t written = line_write(line_, chunk, taken);
        buffer.rewind(taken - written);
        if (written < taken) return;
        maybe_yield();
    }
}

// As poll(2) sees it: with MIN and no TIME, MIN bytes (POSIX 11.1.7 leaves it open).
bool Terminal::input_ready() {
    if ((line_.termios.lflag & ICANON) != 0) return line_wait(line_, 1).ready;
    size_t wanted = line_.termios.cc[VTIME] == 0 ? line_.termios.cc[VMIN] : 1;
    size_t available = line_available(line_);
    return available > 0 && available >= wanted;
}

uint32_t Terminal::poll(uint32_t events, PollTable* table) {
    if (table != nullptr) {
        table->add(input_.queue);
        table->add(output_.queue);
    }
    if (hung_up_) return POLLHUP | POLLERR | (events & (POLLIN | POLLRDNORM));
    uint32_t ready = 0;
    MutexGuard guard(mutex_);
    if (input_ready()) ready |= POLLIN | POLLRDNORM;
    if (!line_stopped(line_) && device_.output_room() > 0) ready |= POLLOUT | POLLWRNORM;
    return ready & events;
}

// ---- Devices ----

size_t Terminal::receive(std::span<const unsigned char> input) {
    size_t consumed;
    bool stopped_before, stopped_now, signals;
    {
        MutexGuard guard(mutex_);
        if (hung_up_) return input.size();
        stopped_before = line_stopped(line_);
        consumed = line_receive(line_, input);
        stopped_now = line_stopped(line_);
        signals = device_.noted_signals != 0;
    }
    input_.happened();
    if (stopped_before && !stopped_now) output_ready();
    if (signals) send_noted_signals();
    return consumed;
}

void Terminal::output_ready() {
    {
        MutexGuard guard(mutex_);
        line_output_ready(line_);
    }
    output_.happened();
}

void Terminal::hang_up() {
    {
        MutexGuard guard(mutex_);
        hung_up_ = true;
        line_flush_input(line_);
    }
    {
        MutexGuard tree(process_tree);
        end_session();
    }
    input_.happened();
    room.happened();
    output_.happened();
}

void Terminal::reset() {
    MutexGuard guard(mutex_);
    line_destroy(line_);
    line_init(line_, device_);
    window_ = {25, 80, 0, 0};
    device_.noted_signals = 0;
    hung_up_ = false;
}

// ---- Job control ----

bool Terminal::controls(const Process& process) const {
    return process.terminal == this && process.session == session_;
}

Result<void> Terminal::check_foreground(Use use) {
    Process* process = current_thread()->process;
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
    Process* process = current_thread()->process;
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
    Process* process = current_thread()->process;
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
    input_.happened();
    room.happened();
    output_ready();
    return {};
}

Result<void> Terminal::flush_queues(uint64_t which) {
    if (which > TCIOFLUSH) return Error(EINVAL);
    TRY(check_foreground(Use::Change));
    {
        MutexGuard guard(mutex_);
        if (which != TCOFLUSH) line_flush_input(line_);
        if (which != TCIFLUSH) device_.flush_output();
    }
    room.happened();
    output_ready();
    return {};
}

// ---- ioctl(2) ----

Result<void> Terminal::ioctl(uint32_t request, VirtAddr argument) {
    if (hung_up_) return Error(EIO);
    UserOut<int32_t> answer(argument);
    switch (request) {
        case TCGETS: {
            MutexGuard guard(mutex_);
            return UserOut<abi::Termios>(argument).write(line_.termios);
        }
        case TCSETS:
        case TCSETSW:
        case TCSETSF: return set_termios(argument, request);
        case TCFLSH: return flush_queues(argument);
        // A break, or tcdrain(3): output is delivered as it is written.
        case TCSBRK: return check_foreground(Use::Change);
        case TIOCGWINSZ: {
            MutexGuard guard(mutex_);
            return UserOut<winsize>(argument).write(window_);
        }
        case TIOCSWINSZ: {
            auto size = TRY(UserIn<winsize>(argument).read());
            {
                MutexGuard guard(mutex_);
                if (memcmp(&window_, &size, sizeof size) == 0) return {};
                window_ = size;
            }
            if (int32_t group = foreground_group()) signal_process_group(group, SIGWINCH);
            return {};
        }
        case FIONREAD: {
            MutexGuard guard(mutex_);
            return answer.write(static_cast<int32_t>(line_available(line_)));
        }
        case TIOCSCTTY: return become_controlling(argument == 1);
        case TIOCSPGRP: return set_foreground(argument);
        case TIOCGPGRP:
        case TIOCGSID: {
            Process* process = current_thread()->process;
            if (process == nullptr || !controls(*process)) return Error(ENOTTY);
            return answer.write(request == TIOCGSID ? session() : foreground_group());
        }
        default: return Error(ENOTTY);
    }
}
