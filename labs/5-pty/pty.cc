// PTY pairs (contracts in kernel/tty/pty.h).
//
// This is the starter: there are none. Opening /dev/ptmx fails with ENXIO and a line in
// the log; everything else of the kernel works without.
//
// Your part ("pairs" and "waiting" in handouts/5-pty.md): a pair is a Terminal
// (kernel/tty/terminal.h) whose TerminalDevice puts output into a Ring
// (kernel/base/ring.h), and a File for the master that reads the ring and gives what is
// written to Terminal::receive.
#include "kernel/tty/pty.h"

#include "kernel/base/log.h"

namespace {

Result<File*> open_master(Inode&, uint32_t) {
    log_warning("lab 5: PTY pairs are not implemented yet (labs/5-pty/pty.cc)");
    return Error(ENXIO);
}

}  // namespace

void pty_init() { devfs_add("ptmx", S_IFCHR | 0666, kDevicePtmx, open_master); }

bool pty_exists(uint32_t) { return false; }

Result<File*> pty_open_slave(Inode&, uint32_t, uint32_t) { return Error(EIO); }
