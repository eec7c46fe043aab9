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

}  // namespace

void tty_init() {
    // /dev/console never becomes a controlling terminal by being opened: process 1 opens it.
    devfs_add("console", S_IFCHR | kNodeMode, kDeviceConsole, [](Inode& node, uint32_t flags) {
        return console().open(node, flags | O_NOCTTY);
    });
    devfs_add("tty0", S_IFCHR | kNodeMode, kDeviceTty0, open_console);
    devfs_add("tty", S_IFCHR | kEveryone, kDeviceTty, open_controlling);
    devfs_add("ttyS0", S_IFCHR | kEveryone, kDeviceSerial, open_console);
    constexpr const char* kPorts[] = {"ttyS1", "ttyS2", "ttyS3"};
    for (uint64_t i = 0; i < std::size(kPorts); i++)
        devfs_add(kPorts[i], S_IFCHR | kEveryone, kDeviceSerial + 1 + i, serial_file_open);
    session_ended = [](Process& leader) {
        if (leader.terminal->controls(leader)) leader.terminal->end_session();
    };
    pty_init();
    console_start();
}
