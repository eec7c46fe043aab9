// Lab 4: the context switch. Contracts: kernel/sched/run_queue.h.
//
// context_switch is an ordinary call for both threads: the caller expects its callee-saved
// registers and its stack back (System V ABI, 3.2.1), and the compiler has saved everything
// else itself. So six registers and the stack pointer are the whole context. Flags need no
// saving: every switch happens with interrupts off, and each thread keeps in its own frame
// (InterruptsOff in schedule()) what they were before. CR3, FPU and segment bases are the
// C++ caller's business.
#include "kernel/arch/asm_offsets.h"
#include "kernel/arch/assembly.h"

        .text

// Thread* context_switch(Thread* prev [rdi], Thread* next [rsi])
FUNCTION(context_switch)
        .irp register, rbp, rbx, r12, r13, r14, r15
        pushq %\register
        .endr
        movq %rsp, THREAD_SAVED_RSP(%rdi)
        movq THREAD_SAVED_RSP(%rsi), %rsp
        .irp register, r15, r14, r13, r12, rbx, rbp
        popq %\register
        .endr
        movq %rdi, %rax                 // who ran before: RDI is not part of the context
        ret

// uint64_t context_prepare(VirtAddr top [rdi], void (*entry)(void*) [rsi], void* [rdx])
// What a context_switch away would have left: six registers and a return address. The
// 16 bytes above keep the stack aligned when the trampoline makes its calls.
FUNCTION(context_prepare)
        leaq -(16 + 7 * 8)(%rdi), %rax
        movq $0, 0(%rax)                // r15
        movq $0, 8(%rax)                // r14
        movq $0, 16(%rax)               // r13
        movq %rdx, 24(%rax)             // r12
        movq %rsi, 32(%rax)             // rbx
        movq $0, 40(%rax)               // rbp: the backtrace ends here
        movq $thread_trampoline, 48(%rax)
        movq $0, 56(%rax)               // what a backtrace would read as return address
        movq $0, 64(%rax)
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
