// Lab 3: the entry and exit of SYSCALL.
//
// SYSCALL changes no stack and saves nothing in memory: RCX is the user's RIP, R11 the
// user's RFLAGS, RSP and GS are still the user's, interrupts are off (SFMASK). Until the
// stack is changed and GS is ours nothing may fault and no interrupt may come; NMI, #MC and
// #DB use stacks of their own and find GS by themselves (kernel/arch/trap_entry.S).
//
// The frame is complete, callee-saved registers included, because fork copies it and signals
// rewrite it. On the way out those six are not popped again: C++ code preserves them, and
// whoever changes them in the frame (execve, sigreturn) makes RCX differ from RIP, which
// takes the exit through trap_return, where everything is popped.
//
// SYSRETQ takes RIP from RCX and RFLAGS from R11, and nothing else. It is used only when
// that gives the frame's own state back:
//   RIP == RCX, RFLAGS == R11   they are lost otherwise
//   CS, SS                      SYSRETQ sets the usual ones
//   RIP < 2^47                  on Intel CPUs a non-canonical RCX faults in ring 0, with the
//                               user's stack pointer already loaded (Intel SDM vol. 2,
//                               SYSRET; CVE-2012-0217)
//   no RF, no TF                SYSRETQ clears RF; a set TF traps at the wrong place
//
// No kernel value leaves: every register that C++ may have changed is loaded from the frame.
//
// Handout: handouts/3-syscall.md. Contract: kernel/syscall/syscall.h.

#include "kernel/arch/asm_offsets.h"
#include "kernel/arch/assembly.h"

#define SYSCALL_VECTOR 0x100
#define FLAGS_RF_TF 0x10100

// struct TrapFrame
#define FRAME_R11 48
#define FRAME_R10 56
#define FRAME_R9 64
#define FRAME_R8 72
#define FRAME_RAX 80
#define FRAME_RCX 88
#define FRAME_RDX 96
#define FRAME_RSI 104
#define FRAME_RDI 112
#define FRAME_RIP 136
#define FRAME_CS 144
#define FRAME_RFLAGS 152
#define FRAME_RSP 160
#define FRAME_SS 168

    .text
    .balign 64
FUNCTION(syscall_entry)
    swapgs
    movq %rsp, %gs:CPU_USER_RSP // dead again two instructions later: this CPU's alone
    movq %gs:CPU_KERNEL_RSP, %rsp
    pushq $(USER_DS | 3)
    pushq %gs:CPU_USER_RSP
    pushq %r11
    pushq $(USER_CS | 3)
    pushq %rcx
    pushq %rax // error: the call number, which a restart needs
    pushq $SYSCALL_VECTOR
    .irp register, rdi, rsi, rdx, rcx, rax, r8, r9, r10, r11, rbx, rbp, r12, r13, r14, r15
    pushq %\register
    .endr
    // 22 words below a 64-byte aligned top: RSP is 16-byte aligned for the call.
    movq %rsp, %rdi
    sti
    call syscall_dispatch
    cli

    // From here on interrupts stay off: attention that is set after this look finds us by
    // an interrupt right after SYSRETQ.
    movq %gs:CPU_CURRENT, %rax
    cmpl $0, THREAD_ATTENTION(%rax)
    jne .Lattention
    movq FRAME_RIP(%rsp), %rcx
    cmpq FRAME_RCX(%rsp), %rcx
    jne .Lslow_return
    movq FRAME_RFLAGS(%rsp), %r11
    cmpq FRAME_R11(%rsp), %r11
    jne .Lslow_return
    testl $FLAGS_RF_TF, %r11d
    jne .Lslow_return
    cmpq $(USER_CS | 3), FRAME_CS(%rsp)
    jne .Lslow_return
    cmpq $(USER_DS | 3), FRAME_SS(%rsp)
    jne .Lslow_return
    cmpq .Lfirst_not_canonical(%rip), %rcx
    jae .Lslow_return

    movq FRAME_RAX(%rsp), %rax
    movq FRAME_RDI(%rsp), %rdi
    movq FRAME_RSI(%rsp), %rsi
    movq FRAME_RDX(%rsp), %rdx
    movq FRAME_R10(%rsp), %r10
    movq FRAME_R9(%rsp), %r9
    movq FRAME_R8(%rsp), %r8
    movq FRAME_RSP(%rsp), %rsp
    swapgs
    sysretq

.Lattention:
    movq %rsp, %rdi
    call user_return_work // returns with interrupts off and no attention left
.Lslow_return:
    movq %rsp, %rdi
    jmp trap_return

    .section .rodata
    .balign 8
.Lfirst_not_canonical:
    .quad 1 << 47

    .section .note.GNU-stack, "", @progbits
