// Error numbers of the Linux x86-64 ABI. For kernel, user programs and host tests alike they
// come from the toolchain's own header; the other files here do the same with constants.
#pragma once
#include <errno.h>

// Kernel-internal: an interrupted call that signal delivery turns into a restart or
// EINTR (Linux include/linux/errno.h). Never seen by a user program.
inline constexpr int kERESTARTSYS = 512;
