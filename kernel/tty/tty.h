// Terminals as device nodes.
//
//   console, tty0, ttyS0   the console terminal (kernel/tty/console.h)
//   tty                    the controlling terminal of whoever opens it
//   ttyS1..ttyS3           COM2..COM4, exact bytes out, not terminals
//   ptmx, pts/             PTY pairs: lab 5's pty.cc
#pragma once
#include <cstdint>
#include <string_view>

#include "kernel/base/result.h"
#include "kernel/fs/file.h"

// Device numbers of Linux (Documentation/admin-guide/devices.txt).
constexpr uint64_t device_number(uint32_t major, uint32_t minor) {
    return (static_cast<uint64_t>(major) << 8) | minor;
}
inline constexpr uint64_t kDeviceTty0 = device_number(4, 0);
inline constexpr uint64_t kDeviceSerial = device_number(4, 64);  // ttyS0
inline constexpr uint64_t kDeviceTty = device_number(5, 0);
inline constexpr uint64_t kDeviceConsole = device_number(5, 1);
inline constexpr uint64_t kDevicePtmx = device_number(5, 2);
inline constexpr uint32_t kPtsMajor = 136;

// Adds the nodes to devfs and starts the console's input. After devfs_create, apic_init
// and the scheduler's start.
void tty_init();

// Opens /dev/ttyS1 to ttyS3 (kernel/tty/serial_file.cc).
Result<File*> serial_file_open(Inode& node, uint32_t flags);
