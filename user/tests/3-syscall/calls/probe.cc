// The probe in assembly, since no compiler may have a say about registers here. Static
// variables instead of the stack: after the call not even RSP is to be trusted.
#include "user/tests/3-syscall/calls/probe.h"

#include <stddef.h>

alignas(64) Registers probe_in, probe_out;
uint64_t probe_rsp_before, probe_rsp_after;

static_assert(offsetof(Registers, rax) == 0 && offsetof(Registers, rbx) == 8 &&
              offsetof(Registers, rcx) == 16 && offsetof(Registers, rdx) == 24 &&
              offsetof(Registers, rsi) == 32 && offsetof(Registers, rdi) == 40 &&
              offsetof(Registers, rbp) == 48 && offsetof(Registers, r8) == 56 &&
              offsetof(Registers, r15) == 112 && offsetof(Registers, rflags) == 120 &&
              offsetof(Registers, xmm) == 128);

asm(R"(
    .text
    .globl probe_syscall, probe_return_address, syscall_with_trap_flag
    .type probe_syscall, @function
probe_syscall:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    pushfq
    mov %rsp, probe_rsp_before(%rip)
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movaps probe_in+128+16*\n(%rip), %xmm\n
    .endr
    pushq probe_in+120(%rip)
    popfq
    mov probe_in+0(%rip), %rax
    mov probe_in+8(%rip), %rbx
    mov probe_in+16(%rip), %rcx
    mov probe_in+24(%rip), %rdx
    mov probe_in+32(%rip), %rsi
    mov probe_in+40(%rip), %rdi
    mov probe_in+48(%rip), %rbp
    mov probe_in+56(%rip), %r8
    mov probe_in+64(%rip), %r9
    mov probe_in+72(%rip), %r10
    mov probe_in+80(%rip), %r11
    mov probe_in+88(%rip), %r12
    mov probe_in+96(%rip), %r13
    mov probe_in+104(%rip), %r14
    mov probe_in+112(%rip), %r15
    syscall
probe_return_address:
    mov %rax, probe_out+0(%rip)
    mov %rbx, probe_out+8(%rip)
    mov %rcx, probe_out+16(%rip)
    mov %rdx, probe_out+24(%rip)
    mov %rsi, probe_out+32(%rip)
    mov %rdi, probe_out+40(%rip)
    mov %rbp, probe_out+48(%rip)
    mov %r8, probe_out+56(%rip)
    mov %r9, probe_out+64(%rip)
    mov %r10, probe_out+72(%rip)
    mov %r11, probe_out+80(%rip)
    mov %r12, probe_out+88(%rip)
    mov %r13, probe_out+96(%rip)
    mov %r14, probe_out+104(%rip)
    mov %r15, probe_out+112(%rip)
    mov %rsp, probe_rsp_after(%rip)
    mov probe_rsp_before(%rip), %rsp
    pushfq
    popq probe_out+120(%rip)
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movaps %xmm\n, probe_out+128+16*\n(%rip)
    .endr
    popfq
    cld
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

syscall_with_trap_flag:
    mov $110, %eax          # getppid
    pushfq
    orq $0x100, (%rsp)      # RFLAGS.TF, SDM vol. 1, 3.4.3.3
    popfq
    syscall
    nop
    ret
)");
