// clone(2) and wait4(2) (Linux linux/sched.h, linux/wait.h).
#pragma once
#include <linux/sched.h>
#include <sys/wait.h>

namespace abi {
inline constexpr int kWaitKnown =
    WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WALL | static_cast<int>(__WCLONE);
}  // namespace abi
