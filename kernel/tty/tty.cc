// The device nodes of terminals: who is behind which name.
#include "kernel/tty/tty.h"

#include "kernel/tty/console.h"
#include "kernel/tty/pty.h"

namespace {

constexpr uint32_t kNodeMode = 0620, kEveryone = 0666;

Result<File*> open_console(Inode& node, uint32_t flags) { return console().open(node, flags); }

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
    // /dev/console never becomes a controlling terminal by being opened: process 1 opens it.
    devfs_add("console", S_IFCHR | kNodeMode, kDeviceConsole, [](Inode& node, uint32_t flags) {
        return console().open(node, flags | O_NOCTTY);
    });
    devfs_add("tty0", S_IFCHR | kNodeMode, kDeviceTty0, open_console);
    devfs_add("tty", S_IFCHR | kEveryone, kDeviceTty, open_controlling);
    constexpr uint64_t kSerial = device_number(4, 64);
    devfs_add("ttyS0", S_IFCHR | kEveryone, kSerial, open_console);
    devfs_add("ttyS1", S_IFCHR | kEveryone, kSerial + 1, open_serial<1>);
    devfs_add("ttyS2", S_IFCHR | kEveryone, kSerial + 2, open_serial<2>);
    devfs_add("ttyS3", S_IFCHR | kEveryone, kSerial + 3, open_serial<3>);
    pty_init();
    console_start();
}
