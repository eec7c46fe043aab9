// /proc: the kernel's figures and its processes as files (proc(5)), mounted by main.cc.
#pragma once
#include "kernel/fs/vfs.h"

// The file system; boot, once. Starts the load average, too: after the timers.
FileSystem& procfs_create();
