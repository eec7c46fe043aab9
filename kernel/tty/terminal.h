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
// call receive() from a thread (kernel/tty/tty.cc).
//
// Terminals are never freed, so a Process::terminal pointer stays valid; whether it is
// still the controlling terminal of that process says controls().
#pragma once
#include "kernel/metrics/latency.h"
#include "kernel/task/process.h"
#include "kernel/tty/line_discipline.h"

// Device numbers of Linux (Documentation/admin-guide/devices.txt).
constexpr uint64_t device_number(uint32_t major, uint32_t minor) {
    return (static_cast<uint64_t>(major) << 8) | minor;
}
inline constexpr uint64_t kDevicePtmx = device_number(5, 2);
inline constexpr uint32_t kPtsMajor = 136;

// Where a terminal's output goes. Called under the terminal's mutex.
class TerminalDevice : public LineHost {
  public:
    void signal(int signal) final { noted_signals |= signal_bit(signal); }
    void flush_output() override {}
    virtual void opened() {}  // the first File of the terminal appeared
    virtual void closed() {}  // the last one is gone
    SignalSet noted_signals = 0;
};

class Terminal {
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
    // Reads and other changes that may have made room for input.
    EventCount room;

    // Is this the controlling terminal of `process`? (Its own thread asks, or
    // process_tree is held.)
    bool controls(const Process& process) const;
    const uint64_t number;
    int32_t session() const { return session_.load(std::memory_order_relaxed); }
    int32_t foreground_group() const { return foreground_.load(std::memory_order_relaxed); }

  private:
    Result<size_t> transfer(IoBuffer& buffer) REQUIRES(mutex_);
    void write_some(IoBuffer& buffer) REQUIRES(mutex_);
    bool input_ready() REQUIRES(mutex_);
    void send_noted_signals();

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
    Mutex mutex_{LockRank::Terminal};
    LineDiscipline line_ GUARDED_BY(mutex_);
    winsize window_ GUARDED_BY(mutex_) = {25, 80, 0, 0};
    uint32_t open_files_ GUARDED_BY(mutex_) = 0;
    std::atomic<bool> hung_up_{false};
    // Written under process_tree; 0: none.
    std::atomic<int32_t> session_{0};
    std::atomic<int32_t> foreground_{0};
    EventCount input_, output_;  // there may be something to read, room to write
};

// ---- kernel/tty/tty.cc ----

// Adds the device nodes and starts the console's input: interrupts of COM1 and the keyboard,
// and the thread that takes their bytes. After devfs_create, apic_init and the scheduler's
// start.
void tty_init();
// For log_set_console: "\n" as "\r\n", to the serial port and the screen, as far as the
// command line (console=) wants them. Any context.
void console_write_log(const char* text, size_t length);
