// Lab 4: the context switch. Contracts: kernel/sched/run_queue.h.
//
// This version saves everything it can name: the flags and all fifteen general registers,
// as an interrupt would. It is right, only slow. Which of them does the caller of a function
// expect back (System V ABI, 3.2.1)? Who else keeps the interrupt flag? What remains is the
// context.
#include "kernel/arch/asm_offsets.h"
#include "kernel/arch/assembly.h"

        .text

// Thread* context_switch(Thread* prev [rdi], Thread* next [rsi])
FUNCTION(context_switch)
        pushfq
        pushq %rax
        pushq %rcx
        pushq %rdx
        pushq %rbx
        pushq %rbp
        pushq %rsi
        pushq %rdi
        pushq %r8
        pushq %r9
        pushq %r10
        pushq %r11
        pushq %r12
        pushq %r13
        pushq %r14
        pushq %r15
        movq %rsp, THREAD_SAVED_RSP(%rdi)
        movq %rdi, %rax                 // prev, to be returned on next's stack
        movq THREAD_SAVED_RSP(%rsi), %rsp
        movq %rax, 14 * 8(%rsp)         // into next's saved RAX
        popq %r15
        popq %r14
        popq %r13
        popq %r12
        popq %r11
        popq %r10
        popq %r9
        popq %r8
        popq %rdi
        popq %rsi
        popq %rbp
        popq %rbx
        popq %rdx
        popq %rcx
        popq %rax
        popfq
        ret

// uint64_t context_prepare(VirtAddr top [rdi], void (*entry)(void*) [rsi], void* [rdx])
// What a context_switch away would have left: the layout above, flags with interrupts off.
FUNCTION(context_prepare)
        leaq -(16 + 17 * 8)(%rdi), %r8
        movq %r8, %rdi
        movl $(2 + 17), %ecx
        xorl %eax, %eax
        cld
        rep stosq
        movq %rdx, 3 * 8(%r8)           // r12
        movq %rsi, 11 * 8(%r8)          // rbx
        movq $2, 15 * 8(%r8)            // flags: bit 1 is always set
        movq $thread_trampoline, 16 * 8(%r8)
        movq %r8, %rax
        ret

FUNCTION(thread_trampoline)
        movq %rax, %rdi
        call thread_first_run
        movq %r12, %rdi
        call *%rbx
        call thread_entry_returned
        ud2

// void fpu_save(void* area [rdi]): all components that XCR0 enables (EDX:EAX masks them,
// Intel SDM vol. 1, 13.7), or the legacy region alone.
FUNCTION(fpu_save)
        cmpb $0, fpu_use_xsave
        je .Lfxsave
        movl $-1, %eax
        movl $-1, %edx
        xsave64 (%rdi)
        ret
.Lfxsave:
        fxsave64 (%rdi)
        ret

// void fpu_restore(const void* area [rdi])
FUNCTION(fpu_restore)
        cmpb $0, fpu_use_xsave
        je .Lfxrstor
        movl $-1, %eax
        movl $-1, %edx
        xrstor64 (%rdi)
        ret
.Lfxrstor:
        fxrstor64 (%rdi)
        ret
