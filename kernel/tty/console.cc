// The console terminal: output to COM1 and the screen, input from COM1 and the keyboard.
//
// The way of a typed byte: an interrupt handler puts it into `typed` and wakes the thread
// "tty"; the thread gives it to the terminal, whose line discipline works under a Mutex
// that no interrupt handler could take. `typed` needs no lock: one producer, because all
// device interrupts go to the boot CPU and do not nest, and one consumer, the thread.
//
// When the line discipline has no room, the bytes stay in `typed` and the thread waits
// for a reader or for more bytes (one of them may be the interrupt character). When
// `typed` is full, what is typed is lost, as on any serial line without flow control.
#include "kernel/tty/console.h"

#include "kernel/base/command_line.h"
#include "kernel/base/ring.h"
#include "kernel/drivers/keyboard.h"
#include "kernel/drivers/screen.h"
#include "kernel/drivers/serial.h"
#include "kernel/tty/tty.h"

namespace {

constexpr unsigned kConsolePort = 0;  // COM1
// Interrupts are off while a port or the screen takes a chunk.
constexpr size_t kChunk = 64;
constexpr uint32_t kTypedCapacity = 1024;

class ConsoleDevice final : public TerminalDevice {
  public:
    size_t write(const char* data, size_t size) override {
        for (size_t done = 0; done < size;) {
            size_t n = std::min(size - done, kChunk);
            if (kernel_options.serial_console) serial_write(kConsolePort, data + done, n);
            if (kernel_options.screen_console) screen_write(data + done, n);
            done += n;
        }
        return size;
    }
    size_t room() override { return kLineCapacity; }
};

ConsoleDevice device;
Terminal terminal(device, kDeviceConsole);

unsigned char typed_memory[kTypedCapacity];
Ring typed;

void on_typed(char byte) {
    if (ring_write(typed, &byte, 1) == 1) wake_all(terminal.room_wait);
}

void on_serial_byte(unsigned port, uint8_t byte) {
    if (port == kConsolePort) on_typed(static_cast<char>(byte));
}

void tty_thread(void*) {
    for (;;) {
        (void)wait_until(terminal.room_wait, [] { return ring_used(typed) > 0; },
                         WaitMode::Uninterruptible);
        uint32_t events = terminal.room_events();
        size_t offered = ring_used(typed);
        std::span<const unsigned char> bytes = ring_read_span(typed, offered);
        size_t consumed = terminal.receive(bytes);
        ring_commit_read(typed, consumed);
        if (consumed == bytes.size()) continue;
        offered -= consumed;
        (void)wait_until(
            terminal.room_wait,
            [&] { return terminal.room_events() != events || ring_used(typed) != offered; },
            WaitMode::Uninterruptible);
    }
}

}  // namespace

Terminal& console() { return terminal; }

void console_write_log(const char* text, size_t length) {
    if (kernel_options.serial_console) serial_console_write(text, length);
    if (kernel_options.screen_console) screen_write(text, length);
}

void console_start() {
    ring_init(typed, typed_memory, kTypedCapacity);
    auto thread = thread_create("tty", tty_thread, nullptr);
    if (!thread.ok()) panic("no memory for the console's thread");
    thread_start(*thread.value());
    serial_enable_receive(on_serial_byte);
    keyboard_init(on_typed);
}
