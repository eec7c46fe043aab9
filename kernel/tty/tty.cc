// The devices of terminals, and who is behind which name of /dev:
//
//   console, tty0, ttyS0   the console: COM1, and the PC's own screen and keyboard, as one
//                          terminal
//   tty                    the controlling terminal of whoever opens it
//   ttyS1..ttyS3           COM2..COM4, exact bytes out, not terminals
//   ptmx, pts/             PTY pairs: lab 5's pty.cc
//
// The way of a byte typed at the console: an interrupt handler puts it into `typed` and wakes
// the thread "tty"; the thread gives it to the terminal, whose line discipline works under a
// Mutex that no interrupt handler could take. `typed` needs no lock: one producer, because all
// device interrupts go to the boot CPU and do not nest, and one consumer, the thread.
//
// When the line discipline has no room, the bytes stay in `typed` and the thread waits
// for a reader or for more bytes (one of them may be the interrupt character). When
// `typed` is full, what is typed is lost, as on any serial line without flow control.
#include "kernel/abi/termios.h"
#include "kernel/base/command_line.h"
#include "kernel/base/format.h"
#include "kernel/base/ring.h"
#include "kernel/drivers/drivers.h"
#include "kernel/tty/pty.h"

namespace {

constexpr uint32_t kNodeMode = 0620, kEveryone = 0666;
constexpr uint64_t kDeviceSerial = device_number(4, 64);  // ttyS0
constexpr uint64_t kDeviceConsole = device_number(5, 1);

// ---- The console ----

constexpr unsigned kConsolePort = 0;  // COM1
// Interrupts are off while a port or the screen takes a chunk.
constexpr size_t kConsoleChunk = 64;

class ConsoleDevice final : public TerminalDevice {
  public:
    size_t output(const char* data, size_t size) override {
        for (size_t done = 0; done < size;) {
            size_t n = std::min(size - done, kConsoleChunk);
            if (kernel_options.serial_console) serial_write(kConsolePort, data + done, n);
            if (kernel_options.screen_console) screen_write(data + done, n);
            done += n;
        }
        return size;
    }
    size_t output_room() override { return kLineCapacity; }
};

ConsoleDevice device;
Terminal console(device, kDeviceConsole);

unsigned char typed_memory[1024];
Ring typed;

void on_typed(char byte) {
    if (ring_write(typed, &byte, 1) == 1) wake_all(console.room.queue);
}

void on_serial_byte(unsigned port, uint8_t byte) {
    if (port == kConsolePort) on_typed(static_cast<char>(byte));
}

void tty_thread(void*) {
    for (;;) {
        (void)wait_until(console.room.queue, [] { return ring_used(typed) > 0; },
                         WaitMode::Uninterruptible);
        uint32_t events = console.room.now();
        size_t offered = ring_used(typed);
        std::span<const unsigned char> bytes = ring_read_span(typed, offered);
        size_t consumed = console.receive(bytes);
        ring_commit_read(typed, consumed);
        if (consumed == bytes.size()) continue;
        offered -= consumed;
        (void)wait_until(
            console.room.queue,
            [&] { return console.room.now() != events || ring_used(typed) != offered; },
            WaitMode::Uninterruptible);
    }
}

void console_start() {
    ring_init(typed, typed_memory, sizeof typed_memory);
    auto thread = thread_create("tty", tty_thread, nullptr);
    if (!thread.ok()) panic("no memory for the console's thread");
    thread_start(*thread.value());
    serial_enable_receive(on_serial_byte);
    keyboard_init(on_typed);
}

// ---- COM2 to COM4 ----

// Plain byte channels, on which `make run` and the graders receive what programs print. No
// terminal: nothing is translated or echoed, and TCGETS gives ENOTTY, so that C libraries
// buffer fully.
//
// A port's Mutex makes each write one piece on the line, however many processes write. No
// spin lock is held while user memory is copied: bytes go through a buffer on the stack.

Mutex port_mutexes[kSerialPorts] = {Mutex(LockRank::Terminal), Mutex(LockRank::Terminal),
                                    Mutex(LockRank::Terminal), Mutex(LockRank::Terminal)};

class SerialFile final : public File {
  public:
    SerialFile(Inode& node, uint32_t flags, unsigned port)
        : File(node, flags), port_(port) {}

    // Nothing is received on these ports.
    Result<size_t> read_at(IoBuffer&, uint64_t) override { return 0; }

    Result<size_t> write_at(IoBuffer& buffer, uint64_t) override {
        char chunk[256];  // interrupts are off while the port takes it
        MutexGuard guard(port_mutexes[port_]);
        while (buffer.remaining() > 0 && !buffer.faulted()) {
            serial_write(port_, chunk, buffer.take(chunk, sizeof chunk));
            maybe_yield();
        }
        return buffer.moved();
    }

  private:
    unsigned port_;
};

Result<File*> open_serial(Inode& node, uint32_t flags) {
    auto port = static_cast<unsigned>(node.attributes.device - kDeviceSerial);
    if (!serial_present(port)) return Error(ENXIO);
    return TRY(make<SerialFile>(node, flags, port));
}

// ---- /dev/pts ----

// A directory with a node for each PTY pair that has a master. Nothing is kept: a lookup asks
// lab 5's pty.cc whether the pair exists and makes a node for it.

constexpr uint32_t kRootMode = S_IFDIR | 0755, kSlaveMode = S_IFCHR | 0620;
constexpr uint64_t kRootNumber = 1, kFirstSlaveNumber = 3;

FileSystem devpts("devpts", 0x1cd1);  // DEVPTS_SUPER_MAGIC, statfs(2)

class SlaveNode final : public Inode {
  public:
    explicit SlaveNode(uint32_t index) : Inode(kSlaveMode) {
        number = kFirstSlaveNumber + index;
        file_system = &devpts;
        attributes.device = device_number(kPtsMajor, index);
        attributes.modified = attributes.accessed = attributes.changed = vfs_now();
    }
    Result<File*> open(uint32_t flags) override {
        return pty_open_slave(*this, flags, number - kFirstSlaveNumber);
    }
};

class Directory final : public Inode {
  public:
    Directory() : Inode(kRootMode) { number = kRootNumber; }
    Inode* parent() override { return this; }
    Result<Inode*> lookup(std::string_view name) override {
        auto index = parse_number(name, 0, kMaxPtys - 1);
        if (!index || !pty_exists(static_cast<uint32_t>(*index))) return Error(ENOENT);
        return TRY(make<SlaveNode>(static_cast<uint32_t>(*index)));
    }
    // Pair n is at position n + 2.
    Result<void> list(uint64_t from, DirectoryListing& listing) override {
        for (uint64_t n = from - 2; n < kMaxPtys; n++) {
            char name[16];
            size_t length = format_to(name, sizeof name, "%lu", n);
            if (pty_exists(static_cast<uint32_t>(n)) &&
                !listing.add({name, length}, kFirstSlaveNumber + n, kSlaveMode, n + 3))
                break;
        }
        return {};
    }
};

// ---- Opening ----

Result<File*> open_console(Inode& node, uint32_t flags) { return console.open(node, flags); }

Result<File*> open_controlling(Inode& node, uint32_t flags) {
    Process* process = current_thread()->process;
    if (process == nullptr) return Error(ENXIO);
    Terminal* terminal = process->terminal;
    if (terminal == nullptr || !terminal->controls(*process)) return Error(ENXIO);
    return terminal->open(node, flags | O_NOCTTY);
}

}  // namespace

FileSystem& devpts_create() {
    static Directory root;
    devpts.set_root(&root);
    return devpts;
}

void console_write_log(const char* text, size_t length) {
    if (kernel_options.serial_console) serial_console_write(text, length);
    if (kernel_options.screen_console) screen_write(text, length);
}

void tty_init() {
    // /dev/console never becomes a controlling terminal by being opened: process 1 opens it.
    devfs_add("console", S_IFCHR | kNodeMode, kDeviceConsole, [](Inode& node, uint32_t flags) {
        return console.open(node, flags | O_NOCTTY);
    });
    devfs_add("tty0", S_IFCHR | kNodeMode, device_number(4, 0), open_console);
    devfs_add("tty", S_IFCHR | kEveryone, device_number(5, 0), open_controlling);
    devfs_add("ttyS0", S_IFCHR | kEveryone, kDeviceSerial, open_console);
    constexpr const char* kPorts[] = {"ttyS1", "ttyS2", "ttyS3"};
    for (uint64_t i = 0; i < std::size(kPorts); i++)
        devfs_add(kPorts[i], S_IFCHR | kEveryone, kDeviceSerial + 1 + i, open_serial);
    session_ended = [](Process& leader) REQUIRES(process_tree) {
        if (leader.terminal->controls(leader)) leader.terminal->end_session();
    };
    pty_init();
    console_start();
}
