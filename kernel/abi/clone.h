// clone(2), clone3(2), wait4(2) (Linux linux/sched.h, linux/wait.h).
#pragma once
#include <cstdint>

namespace abi {
inline constexpr uint64_t kCloneExitSignal = 0xff;  // the low byte of clone's flags
inline constexpr uint64_t kCloneVm = 0x100, kCloneFs = 0x200, kCloneFiles = 0x400,
                          kCloneSighand = 0x800, kCloneVfork = 0x4000,
                          kCloneParent = 0x8000, kCloneThread = 0x10000,
                          kCloneSysvsem = 0x40000, kCloneSettls = 0x80000,
                          kCloneParentSettid = 0x100000, kCloneChildCleartid = 0x200000,
                          kCloneDetached = 0x400000, kCloneChildSettid = 0x1000000,
                          kCloneClearSighand = 0x100000000;

struct CloneArguments {  // struct clone_args of clone3
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
};

inline constexpr int kWaitNoHang = 1, kWaitUntraced = 2, kWaitContinued = 8;
inline constexpr int kWaitKnown = kWaitNoHang | kWaitUntraced | kWaitContinued | 0x20000000 |
                                  0x40000000 | static_cast<int>(0x80000000);
}  // namespace abi
