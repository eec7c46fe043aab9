// The registers of an interrupted context, as every kernel entry saves them.
//
// Interrupts, exceptions and SYSCALL push the same layout (kernel/arch/trap_entry.S,
// lab 3's entry.S), so that fork, signals, the profiler and panic read one format.
#pragma once
#include <cstddef>
#include <cstdint>

struct TrapFrame {
    uint64_t r15, r14, r13, r12, rbp, rbx;  // callee-saved (System V ABI)
    uint64_t r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    uint64_t vector;  // exception or interrupt number; kSyscallVector for SYSCALL
    uint64_t error;   // the CPU's error code, or 0; the call number (as given in RAX) for SYSCALL
    uint64_t rip, cs, rflags, rsp, ss;  // what the CPU pushes

    bool from_user() const { return (cs & 3) == 3; }
};
inline constexpr size_t kTrapFrameSize = 22 * 8;
static_assert(sizeof(TrapFrame) == kTrapFrameSize);
static_assert(offsetof(TrapFrame, rax) == 80);
static_assert(offsetof(TrapFrame, rip) == 136);

inline constexpr uint64_t kSyscallVector = 0x100;
