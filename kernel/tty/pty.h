// PTY pairs: a terminal whose device is another program. Whoever opens /dev/ptmx holds
// the master side and sees what a terminal's user would; /dev/pts/<n> is the terminal
// itself (POSIX posix_openpt(3), Linux pty(7)). The functions are lab 5's pty.cc; the
// directory /dev/pts is kernel/tty/tty.cc.
#pragma once
#include "kernel/tty/terminal.h"

inline constexpr uint32_t kMaxPtys = 64;

// The file system of /dev/pts, for main.cc to mount.
FileSystem& devpts_create();

// ---- Lab 5, pty.cc ----

// Adds /dev/ptmx to devfs. Each open makes a new pair, its slave side locked until
// ioctl TIOCSPTLCK; ENOSPC when all kMaxPtys are in use, ENOMEM.
//   master read   what the slave's line discipline puts out; EIO once the last slave file is
//                 closed and all of it was read; otherwise waits
//   master write  input of the slave's line discipline; waits for room
//   ioctl         TIOCGPTN, TIOCSPTLCK, TIOCGPTLCK; FIONREAD, TIOCGPGRP, TIOCGSID of the
//                 master's side; the rest is the slave's
//   last close    hangs the slave up (Terminal::hang_up)
void pty_init();
// Does pair `index` have a master?
bool pty_exists(uint32_t index);
// Opens the slave side. EIO when there is no master or the pair is locked.
Result<File*> pty_open_slave(Inode& node, uint32_t flags, uint32_t index);
