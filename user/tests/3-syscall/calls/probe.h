// One system call with every register chosen, and every register looked at afterwards.
#pragma once
#include <stdint.h>

struct Registers {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp;
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t rflags;
    alignas(16) uint8_t xmm[16][16];
};

// What probe_syscall reads and writes; and the stack pointer at the call and after it.
extern "C" Registers probe_in, probe_out;
extern "C" uint64_t probe_rsp_before, probe_rsp_after;

// Loads probe_in (the flags through popf: DF, AC, NT, ID may be chosen, TF must not), executes
// `syscall`, stores what it finds to probe_out. The caller's own registers and flags survive.
extern "C" void probe_syscall();

// The address of the instruction behind `syscall`: what RCX must hold then.
extern "C" const char probe_return_address[];

// Sets the trap flag and makes the call getppid; a process without a handler dies by SIGTRAP.
extern "C" void syscall_with_trap_flag();
