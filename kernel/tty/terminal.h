// Terminal: a line discipline with readers, writers, a device and a session (POSIX XBD
// chapter 11). The console is one; each PTY pair has one, whose device is the master
// side.
//
// Locks: `mutex_` (rank Terminal) guards the line discipline and what else is private. It
// is held while user memory is copied, never while waiting for input or room: waiting
// goes by event counts, read before the state is looked at and compared before sleeping.
// Signals that the line discipline asks for are noted under the mutex and sent after it
// is released: they need process_tree, which ranks before it.
//
// Interrupt handlers cannot take the mutex: devices with interrupts queue their bytes and
// call receive() from a thread (kernel/tty/console.cc).
//
// Terminals are never freed, so a Process::terminal pointer stays valid; whether it is
// still the controlling terminal of that process says controls().
#pragma once
#include <atomic>
#include <cstdint>
#include <span>

#include "kernel/fs/file.h"
#include "kernel/sched/mutex.h"
#include "kernel/task/process.h"
#include "kernel/tty/line_discipline.h"

// Where a terminal's output goes. Called under the terminal's mutex.
class TerminalDevice {
  public:
    // Takes as many of the bytes as it has room for (a device that waits by itself: all).
    virtual size_t write(const char* data, size_t size) = 0;
    virtual size_t room() = 0;
    virtual void flush() {}   // drops what was taken and not delivered
    virtual void opened() {}  // the first File of the terminal appeared
    virtual void closed() {}  // the last one is gone

  protected:
    ~TerminalDevice() = default;
};

class Terminal : private LineHost {
  public:
    // `number`: device number, (major << 8) | minor.
    Terminal(TerminalDevice& device, uint64_t number);

    // ---- for Files ----
    // A File on `node` (one reference more) with open(2)'s flags. A session leader
    // without controlling terminal gets this one unless O_NOCTTY. EIO when hung up,
    // ENOMEM.
    Result<File*> open(Inode& node, uint32_t flags);
    Result<size_t> read(IoBuffer& buffer, bool nonblocking);
    Result<size_t> write(IoBuffer& buffer, bool nonblocking);
    uint32_t poll(uint32_t events, PollTable* table);
    Result<void> ioctl(uint32_t request, VirtAddr argument);
    void file_closed();

    // ---- for devices, in thread context, the mutex not held ----
    // Input: returns how many bytes were consumed; the rest waits for input_room.
    size_t receive(std::span<const unsigned char> input);
    // Output room appeared.
    void output_ready();
    // The device is gone (the master closed): readers get end of file, writers EIO, the
    // session SIGHUP and SIGCONT.
    void hang_up();
    // The session loses this terminal: SIGHUP and SIGCONT for its leader and the foreground.
    void end_session() REQUIRES(process_tree);
    // Usable again after hang_up, as new (the next user of a PTY pair).
    void reset();
    void set_window_size(const abi::WindowSize& size);
    abi::WindowSize window_size();
    // Counts reads and other changes that may have made room for input, and wakes
    // room_wait.
    uint32_t room_events() const { return room_events_.load(std::memory_order_acquire); }
    WaitQueue room_wait;

    // Is this the controlling terminal of `process`? (Its own thread asks, or
    // process_tree is held.)
    bool controls(const Process& process) const;
    uint64_t number() const { return number_; }
    int32_t session() const { return session_.load(std::memory_order_relaxed); }
    int32_t foreground_group() const { return foreground_.load(std::memory_order_relaxed); }

  private:
    // LineHost
    size_t output(const char* data, size_t size) override;
    size_t output_room() override;
    void signal(int signal) override REQUIRES(mutex_);
    void flush_output() override;

    Result<size_t> transfer(IoBuffer& buffer) REQUIRES(mutex_);
    size_t write_some(IoBuffer& buffer) REQUIRES(mutex_);
    bool input_ready() REQUIRES(mutex_);
    void input_changed();
    void output_changed();
    void room_changed();
    void send_noted_signals();

    // ---- kernel/tty/terminal_ioctl.cc ----
    // Job control: may the caller read, write or (`change`) set up this terminal now?
    // Sends SIGTTIN or SIGTTOU to its group otherwise; kERESTARTSYS, EIO.
    enum class Use : uint8_t { Read, Write, Change };
    Result<void> check_foreground(Use use);
    Result<void> set_termios(VirtAddr argument, uint32_t request);
    Result<void> flush_queues(uint64_t which);
    Result<void> become_controlling(bool steal);
    Result<void> set_foreground(VirtAddr argument);
    void detach_session() REQUIRES(process_tree);

    TerminalDevice& device_;
    const uint64_t number_;
    Mutex mutex_{LockRank::Terminal};
    LineDiscipline line_ GUARDED_BY(mutex_);
    abi::WindowSize window_ GUARDED_BY(mutex_) = {25, 80, 0, 0};
    uint64_t noted_signals_ GUARDED_BY(mutex_) = 0;  // signal n is bit n - 1
    uint32_t open_files_ GUARDED_BY(mutex_) = 0;
    std::atomic<bool> hung_up_{false};
    // Written under process_tree; 0: none.
    std::atomic<int32_t> session_{0};
    std::atomic<int32_t> foreground_{0};
    std::atomic<uint32_t> input_events_{0}, output_events_{0}, room_events_{0};
    WaitQueue readers_, writers_;
};

// An open terminal.
class TerminalFile final : public File {
  public:
    TerminalFile(Terminal& terminal, Inode& node, uint32_t flags)
        : File(node, flags), terminal_(terminal) {}
    ~TerminalFile() override { terminal_.file_closed(); }
    Result<size_t> read_at(IoBuffer& buffer, uint64_t) override {
        return terminal_.read(buffer, nonblocking());
    }
    Result<size_t> write_at(IoBuffer& buffer, uint64_t) override {
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
