// The system call path: lab 3's entry.S, setup.cc and dispatch.cc, and the table they use.
#pragma once
#include <array>
#include <cstdint>

#include "kernel/arch/cpu.h"
#include "kernel/arch/traps.h"

using SyscallEntry = int64_t (*)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);
inline constexpr uint64_t kSyscallTableSize = 448;

using SyscallTable = std::array<SyscallEntry, kSyscallTableSize>;
// kernel/syscall/table.cc: nullptr where there is no such call.
extern const SyscallTable syscall_table;
// Logs a call that is not there, with Linux's name, once a number, and gives -ENOSYS.
int64_t syscall_unimplemented(uint64_t number);
// From now on an undefined instruction in user mode that is a SYSCALL is emulated. Any CPU,
// any number of times (kernel/syscall/table.cc).
void syscall_emulation_enable();

// ---- Lab 3, setup.cc ----

// Switches the SYSCALL instruction on for the calling CPU: EFER.SCE, STAR, LSTAR, SFMASK
// (IF, TF, DF, AC, NT, IOPL cleared on entry). AMD APM vol. 2, 6.1.1; Intel SDM vol. 3, 5.8.8.
void syscall_init_cpu();

// ---- Lab 3, entry.S ----

extern "C" {
// Where SYSCALL lands: RCX = user RIP, R11 = user RFLAGS, RSP still the user's, interrupts
// off. Saves a TrapFrame with vector = kSyscallVector and error = RAX, calls
// syscall_dispatch with interrupts on, handles attention with them off, and returns by
// SYSRETQ where that is safe (canonical RIP, frame unchanged in CS, SS, RCX == RIP, R11 ==
// RFLAGS), else through trap_return (IRETQ).
void syscall_entry();

// ---- Lab 3, dispatch.cc ----

// Calls the function of frame->rax with RDI, RSI, RDX, R10, R8, R9 and stores the result in
// frame->rax. The whole 64-bit number counts. Interrupts on.
void syscall_dispatch(TrapFrame* frame);
}
