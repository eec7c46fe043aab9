// Signals: numbers, actions (Linux x86-64 asm/signal.h), and what a handler finds on its stack
// (asm/sigcontext.h, asm/ucontext.h, asm-generic/siginfo.h, struct rt_sigframe). libc, unwinders
// and garbage collectors know that layout.
#pragma once
#include <cstddef>
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

struct SignalContext {
    // r8 to r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags
    uint64_t registers[18];
    uint16_t cs, gs = 0, fs = 0, ss;
    uint64_t error, trap, old_mask, cr2;
    uint64_t fpu_state;  // user address, 0: none saved
    uint64_t reserved[8] = {};
};
static_assert(sizeof(SignalContext) == 256);

struct UserContext {
    uint64_t flags;
    uint64_t link = 0;
    uint64_t stack_address;  // stack_t: the alternate stack in force before the handler
    uint32_t stack_flags;
    uint32_t stack_padding = 0;
    uint64_t stack_size;
    SignalContext context;
    uint64_t mask;  // to be restored by rt_sigreturn
};

struct SignalFrame {
    uint64_t return_address;  // SA_RESTORER's: calls rt_sigreturn
    UserContext user;
    siginfo_t info;
};

inline constexpr uint64_t kUcFpXstate = 1;  // uc_flags: the FPU area is XSAVE's
// Marks in an FPU area of a signal frame that it is as long as XSAVE's.
inline constexpr uint32_t kFpXstateMagic1 = 0x46505853, kFpXstateMagic2 = 0x46505845;

}  // namespace abi
