// The device nodes of terminals: who is behind which name.
#include "kernel/tty/tty.h"

#include "kernel/tty/console.h"
#include "kernel/tty/pty.h"

namespace {

constexpr uint32_t kNodeMode = 0620, kEveryone = 0666;

// /dev/console never becomes a controlling terminal by being opened: process 1 opens it.
Result<File*> open_console(Inode& node, uint32_t flags) {
    return console().open(node, flags | O_NOCTTY);
}

Result<File*> open_console_terminal(Inode& node, uint32_t flags) {
    return console().open(node, flags);
}

Result<File*> open_controlling(Inode& node, uint32_t flags) {
    Process* process = current_thread()->process;
    if (process == nullptr) return Error(ENXIO);
    Terminal* terminal = process->terminal;
    if (terminal == nullptr || !terminal->controls(*process)) return Error(ENXIO);
    return terminal->open(node, flags | O_NOCTTY);
}

template <unsigned kPort>
Result<File*> open_serial(Inode& node, uint32_t flags) {
    return serial_file_open(node, flags, kPort);
}

}  // namespace

void tty_init() {
    devfs_add("console", S_IFCHR | kNodeMode, kDeviceConsole, open_console);
    devfs_add("tty0", S_IFCHR | kNodeMode, kDeviceTty0, open_console_terminal);
    devfs_add("tty", S_IFCHR | kEveryone, kDeviceTty, open_controlling);
    auto add_serial = [](std::string_view name, unsigned port, DeviceOpen open) {
        uint64_t number = device_number(kSerialMajor, kSerialFirstMinor + port);
        devfs_add(name, S_IFCHR | kEveryone, number, open);
    };
    add_serial("ttyS0", 0, open_console_terminal);
    add_serial("ttyS1", 1, open_serial<1>);
    add_serial("ttyS2", 2, open_serial<2>);
    add_serial("ttyS3", 3, open_serial<3>);
    pty_init();
    console_start();
}
