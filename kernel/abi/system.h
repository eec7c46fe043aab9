// Numbers and structures of system calls (Linux x86-64). For kernel, user programs and host
// tests alike they come from the toolchain's own headers.
#pragma once
#include <cstdint>
#include <elf.h>
#include <fcntl.h>
#include <linux/reboot.h>
#include <linux/sched.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// uname(2), /proc/version. The release is that of the Linux whose interface this is: C
// libraries compare it with the oldest kernel that they can run on.
inline constexpr utsname kSystemName = {"MelloOS", "mello",  "6.1.0-mello",
                                        "#1 SMP",  "x86_64", "(none)"};
