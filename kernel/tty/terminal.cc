// The terminal's data path: reading, writing, polling, input from the device, hangup.
// Termios, job control and sessions are in terminal_ioctl.cc.
#include "kernel/tty/terminal.h"

#include "kernel/arch/tsc.h"

namespace {
// Moved from a writer's memory at a time; lies on the kernel stack.
constexpr size_t kWriteChunk = 512;
}  // namespace

Terminal::Terminal(TerminalDevice& device, uint64_t number)
    : device_(device), number_(number) {
    line_init(line_, *this);
}

// ---- What the line discipline needs of us ----

size_t Terminal::output(const char* data, size_t size) { return device_.write(data, size); }
size_t Terminal::output_room() { return device_.room(); }
void Terminal::signal(int signal) { noted_signals_ |= signal_bit(signal); }
void Terminal::flush_output() { device_.flush(); }

void Terminal::send_noted_signals() {
    uint64_t signals;
    {
        MutexGuard guard(mutex_);
        signals = noted_signals_;
        noted_signals_ = 0;
    }
    int32_t group = foreground_group();
    if (group == 0) return;
    for (; signals != 0; signals &= signals - 1) {
        signal_process_group(group, __builtin_ctzll(signals) + 1);
    }
}

// ---- Files ----

Result<File*> Terminal::open(Inode& node, uint32_t flags) {
    TerminalFile* file = TRY(make<TerminalFile>(*this, node, flags));
    bool hung_up;
    {
        // Counted in any case: the File's end takes it back.
        MutexGuard guard(mutex_);
        hung_up = hung_up_;
        if (open_files_++ == 0) device_.opened();
    }
    if (hung_up) {
        file->unref();
        return Error(EIO);
    }
    // Failing means only that somebody else's terminal stays his.
    if ((flags & O_NOCTTY) == 0) (void)become_controlling(false);
    return file;
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
        const uint32_t seen = input_events_.load(std::memory_order_acquire);
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
        Result<void> slept = wait_until(
            readers_, [&] { return input_events_.load(std::memory_order_acquire) != seen; },
            WaitMode::Interruptible, deadline);
        if (slept.ok()) continue;
        if (slept.error().number() != ETIMEDOUT) return slept.error();
        timed_out = true;
    }
}

// Moves what is there, at most to the end of a line. The bytes are consumed only once
// they have reached the reader.
Result<size_t> Terminal::transfer(IoBuffer& buffer) {
    if (line_take_eof(line_)) return 0;
    size_t total = 0;
    for (;;) {
        LineChunk chunk = line_next(line_, buffer.remaining());
        size_t moved = buffer.put(chunk.bytes.data(), chunk.bytes.size());
        line_consume(line_, moved);
        total += moved;
        if (moved < chunk.bytes.size() || chunk.last) break;
    }
    room_changed();
    if (total == 0 && buffer.faulted()) return Error(EFAULT);
    return total;
}

Result<size_t> Terminal::write(IoBuffer& buffer, bool nonblocking) {
    TRY(check_foreground(Use::Write));
    size_t total = 0;
    for (;;) {
        const uint32_t seen = output_events_.load(std::memory_order_acquire);
        {
            // Held for the whole call unless it has to wait: writes do not mix.
            MutexGuard guard(mutex_);
            if (hung_up_) return total > 0 ? Result<size_t>(total) : Error(EIO);
            total += write_some(buffer);
        }
        if (buffer.faulted() && total == 0) return Error(EFAULT);
        if (buffer.remaining() == 0 || buffer.faulted()) return total;
        if (nonblocking) return total > 0 ? Result<size_t>(total) : Error(EAGAIN);
        Result<void> slept = wait_until(
            writers_, [&] { return output_events_.load(std::memory_order_acquire) != seen; });
        if (!slept.ok()) return total > 0 ? Result<size_t>(total) : slept.error();
    }
}

// Writes until the buffer is empty, its memory faults or the device is full.
size_t Terminal::write_some(IoBuffer& buffer) {
    char chunk[kWriteChunk];
    size_t total = 0;
    while (buffer.remaining() > 0) {
        size_t taken = buffer.take(chunk, sizeof chunk);
        size_t written = 0;
        while (written < taken) {
            size_t n = line_write(line_, chunk + written, taken - written);
            written += n;
            if (n == 0) break;
        }
        total += written;
        if (written < taken) {
            buffer.rewind(taken - written);
            break;
        }
        if (buffer.faulted()) break;
        maybe_yield();
    }
    return total;
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
        table->add(readers_);
        table->add(writers_);
    }
    if (hung_up_) return POLLHUP | POLLERR | (events & (POLLIN | POLLRDNORM));
    uint32_t ready = 0;
    MutexGuard guard(mutex_);
    if (input_ready()) ready |= POLLIN | POLLRDNORM;
    if (!line_stopped(line_) && device_.room() > 0) ready |= POLLOUT | POLLWRNORM;
    return ready & events;
}

// ---- Devices ----

void Terminal::input_changed() {
    input_events_.fetch_add(1, std::memory_order_release);
    wake_all(readers_);
}

void Terminal::output_changed() {
    output_events_.fetch_add(1, std::memory_order_release);
    wake_all(writers_);
}

void Terminal::room_changed() {
    room_events_.fetch_add(1, std::memory_order_release);
    wake_all(room_wait);
}

size_t Terminal::receive(std::span<const unsigned char> input) {
    size_t consumed;
    bool stopped_before, stopped_now, signals;
    {
        MutexGuard guard(mutex_);
        if (hung_up_) return input.size();
        stopped_before = line_stopped(line_);
        consumed = line_receive(line_, input);
        stopped_now = line_stopped(line_);
        signals = noted_signals_ != 0;
    }
    input_changed();
    if (stopped_before && !stopped_now) output_ready();
    if (signals) send_noted_signals();
    return consumed;
}

void Terminal::output_ready() {
    {
        MutexGuard guard(mutex_);
        line_output_ready(line_);
    }
    output_changed();
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
    input_changed();
    room_changed();
    output_changed();
}

void Terminal::reset() {
    MutexGuard guard(mutex_);
    line_destroy(line_);
    line_init(line_, *this);
    window_ = {25, 80, 0, 0};
    noted_signals_ = 0;
    hung_up_ = false;
}
