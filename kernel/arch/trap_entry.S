// Entry and exit of interrupts and exceptions.
//
// The CPU has pushed SS, RSP, RFLAGS, CS, RIP and, for some exceptions, an error code. Each
// vector has a stub of 16 bytes that makes the frame uniform (error 0 where there is none,
// then the vector) and joins trap_common, which completes a TrapFrame and calls
// trap_dispatch. GS is the difficulty: the kernel wants it to point at the running Cpu, and
// exchanges it with the user's by SWAPGS on the way in and out. Three cases:
//
//   From user mode (saved CS has RPL 3): GS is the user's; swap.
//   From kernel mode: GS is ours already. The one exception is an IRETQ to user mode that
//     faults in ring 0, after our SWAPGS (bad RIP, CS or SS in a frame that sigreturn or
//     ptrace built; Intel CPUs and Bochs do that, AMD's and QEMU fault in ring 3 for a bad
//     RIP). #GP, #SS and #NP look for that one address and turn the fault into one that
//     came from the user frame (bad_iret).
//   NMI, #MC, #DF and #DB can hit between SWAPGS and the change of ring, where CS says
//     nothing about GS; and with FSGSBASE the user may put any value in GS, so looking at
//     it says nothing either. They run on stacks of their own, one set a CPU, which hold
//     the Cpu's address above the frame (traps.h); they load GS from there and put
//     back what they found (trap_paranoid). They must not sleep or switch, so #DB from user
//     mode, which delivers a signal, moves to the thread's stack and the common path.
//
// An NMI that interrupts an NMI handler would overwrite its frame: handlers of NMIs must not
// fault or execute IRETQ (Intel SDM vol. 3, 6.7.1).

#include "kernel/arch/asm_offsets.h"

#define FRAME_CS 144 /* TrapFrame::cs */
#define MSR_GS_BASE 0xc0000101

    .text

// ---- Stubs ----

    .macro STUB vector
    .balign 16
trap_stub_\vector:
    // Vectors 8, 10-14, 17, 21, 29 and 30 have an error code (Intel SDM vol. 3, 6.13).
    .if !((\vector == 8) || (\vector >= 10 && \vector <= 14) || (\vector == 17) || \
          (\vector == 21) || (\vector == 29) || (\vector == 30))
    pushq $0
    .endif
    pushq $\vector
    .if (\vector == 2) || (\vector == 8) || (\vector == 18)
    jmp trap_paranoid
    .elseif \vector == 1
    jmp trap_debug
    .elseif (\vector >= 11) && (\vector <= 13)
    jmp trap_maybe_bad_iret
    .else
    jmp trap_common
    .endif
    .pushsection .rodata
    .quad trap_stub_\vector
    .popsection
    .endm

    .section .rodata
    .balign 8
    .globl trap_entry_points
trap_entry_points:
    .text
    .altmacro
    .set vector, 0
    .rept 256
    STUB %vector
    .set vector, vector + 1
    .endr
    .noaltmacro

// ---- Common parts ----

    // Completes the TrapFrame below error and vector; see struct TrapFrame. The frame is
    // 176 bytes and the CPU aligns RSP before it pushes, so RSP is 16-byte aligned after.
    .macro SAVE_REGISTERS
    .irp register, rdi, rsi, rdx, rcx, rax, r8, r9, r10, r11, rbx, rbp, r12, r13, r14, r15
    pushq %\register
    .endr
    cld
    // An interrupt inside a user copy (between STAC and CLAC), or a user who sets AC, must
    // not turn SMAP off for the handler. CLAC is #UD where there is no SMAP.
    cmpb $0, trap_use_clac(%rip)
    je .Lno_clac\@
    clac
.Lno_clac\@:
    .endm

    .macro RESTORE_REGISTERS
    .irp register, r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi
    popq %\register
    .endr
    addq $16, %rsp // vector, error
    .endm

    .balign 16
trap_common:
    testb $3, 24(%rsp) // CS, above vector, error and RIP
    jz 1f
    swapgs
1:  SAVE_REGISTERS
    movq %rsp, %rdi
trap_call:
    call trap_dispatch // returns with interrupts off
    testb $3, FRAME_CS(%rsp)
    jnz trap_return_user
    RESTORE_REGISTERS
    iretq

// [[noreturn]] void trap_return(TrapFrame* frame)
    .globl trap_return
trap_return:
    movq %rdi, %rsp
trap_return_user:
    RESTORE_REGISTERS
    swapgs
    .globl trap_iretq_user
trap_iretq_user:
    iretq

// ---- #NP, #SS, #GP: may be our own IRETQ to user mode ----

trap_maybe_bad_iret:
    cmpq $trap_iretq_user, 16(%rsp)
    jne trap_common
    swapgs
    SAVE_REGISTERS
    movq %rsp, %rdi
    call trap_fix_bad_iret // the frame as if user mode had faulted, a little higher up
    movq %rax, %rsp
    movq %rax, %rdi
    jmp trap_call

// ---- #DB ----

trap_debug:
    testb $3, 24(%rsp)
    jz trap_paranoid
    swapgs
    pushq %rax
    movq %rsp, %rax // RAX, vector, error, RIP, CS, RFLAGS, RSP, SS
    movq %gs:CPU_KERNEL_RSP, %rsp
    .irp offset, 56, 48, 40, 32, 24, 16, 8
    pushq \offset(%rax)
    .endr
    movq (%rax), %rax
    SAVE_REGISTERS
    movq %rsp, %rdi
    jmp trap_call

// ---- NMI, #DF, #MC, and #DB from kernel mode ----

trap_paranoid:
    SAVE_REGISTERS
    movl $MSR_GS_BASE, %ecx
    rdmsr
    shlq $32, %rdx
    orq %rdx, %rax
    movq %rax, %rbx // what GS was; RBX survives the call
    movq TRAP_FRAME_SIZE(%rsp), %rax // our Cpu
    movq %rax, %rdx
    shrq $32, %rdx
    wrmsr
    movq %rsp, %rdi
    call trap_dispatch_paranoid
    movl $MSR_GS_BASE, %ecx
    movq %rbx, %rax
    movq %rbx, %rdx
    shrq $32, %rdx
    wrmsr
    RESTORE_REGISTERS
    iretq

    .section .note.GNU-stack, "", @progbits
