// Signal numbers and actions (Linux x86-64 asm/signal.h).
#pragma once
#include <cstdint>
#include <signal.h>
inline constexpr int kSignalCount = 64;  // signals are 1..64

namespace abi {
inline constexpr uint64_t kSigDefault = 0;  // SIG_DFL
inline constexpr uint64_t kSigIgnore = 1;   // SIG_IGN
// struct kernel_sigaction as rt_sigaction(2) passes it.
struct SigAction {
    uint64_t handler;
    uint64_t flags;
    uint64_t restorer;
    uint64_t mask;  // signal n is bit n - 1
};
}  // namespace abi
