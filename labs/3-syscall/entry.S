// Lab 3: the entry and exit of SYSCALL.
//
// SYSCALL changes no stack and saves nothing in memory: RCX is the user's RIP, R11 the
// user's RFLAGS, RSP and GS are still the user's, interrupts are off (SFMASK).
//
// The starter never gets here, because setup.cc leaves SYSCALL switched off. Switch it on
// without an entry, and this is the message.
//
// Handout: handouts/3-syscall.md. Contract: kernel/syscall/syscall.h.

#include "kernel/arch/asm_offsets.h"
#include "kernel/arch/assembly.h"

    .text
    .balign 64
FUNCTION(syscall_entry)
    swapgs
    movq %gs:CPU_KERNEL_RSP, %rsp
    leaq .Lmessage(%rip), %rdi
    xorl %eax, %eax // no vector registers hold arguments (System V ABI, 3.2.3)
    call _Z5panicPKcz // panic(const char*, ...)

    .section .rodata
.Lmessage:
    .asciz "lab 3: syscall_entry is not implemented yet (labs/3-syscall/entry.S)"

    .section .note.GNU-stack, "", @progbits
