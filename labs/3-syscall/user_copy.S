// Lab 3, user_copy.S: the only instructions of the kernel that touch user memory. Contracts:
// kernel/mm/user_access.h.
//
// This is the naive version: right, and one byte at a time.
//
#include "kernel/arch/assembly.h"

// An instruction that may fault has an entry in the section .fixups: its address, and where
// to go on when the fault cannot be resolved. With SMAP the kernel may touch user pages only
// while RFLAGS.AC is set (Intel SDM vol. 3, 4.6.1). DF is clear (System V ABI, 3.2.1).
//
// Your work (handouts/3-syscall.md): move words of 8 bytes, many in a row, and still return
// the exact number of bytes that were not copied when a fault comes in the middle.

// An instruction that may fault, and where its fault resumes.
#define MAY_FAULT(resume, ...)          \
98: __VA_ARGS__;                        \
    .pushsection .fixups, "a";          \
    .quad 98b, resume;                  \
    .popsection

    .text

// ---- size_t user_copy_in(void* to, VirtAddr from, size_t size)
// ---- size_t user_copy_out(VirtAddr to, const void* from, size_t size)
FUNCTION(user_copy_in)
FUNCTION(user_copy_out)
    pushq %rbp
    movq %rsp, %rbp
    cmpb $0, user_copy_smap(%rip)
    je .Lcopy_next
    stac
.Lcopy_next:
    testq %rdx, %rdx
    jz .Lend
    MAY_FAULT(.Lend, movb (%rsi), %al)
    MAY_FAULT(.Lend, movb %al, (%rdi))
    incq %rsi
    incq %rdi
    decq %rdx
    jmp .Lcopy_next

// The one way out: RDX bytes were not copied.
.Lend:
    movq %rdx, %rax
.Lend_rax:
    cmpb $0, user_copy_smap(%rip)
    je 1f
    clac
1:  popq %rbp
    ret

// ---- size_t user_copy_zero(VirtAddr to, size_t size)
FUNCTION(user_copy_zero)
    pushq %rbp
    movq %rsp, %rbp
    movq %rsi, %rdx
    xorl %eax, %eax
    cmpb $0, user_copy_smap(%rip)
    je .Lzero_next
    stac
.Lzero_next:
    testq %rdx, %rdx
    jz .Lend
    MAY_FAULT(.Lend, movb %al, (%rdi))
    incq %rdi
    decq %rdx
    jmp .Lzero_next

// ---- size_t user_copy_string(char* to, VirtAddr from, size_t size, uint8_t* faulted)
FUNCTION(user_copy_string)
    pushq %rbp
    movq %rsp, %rbp
    movq %rdx, %r11             // for the result: copied = size - left
    cmpb $0, user_copy_smap(%rip)
    je .Lstring_next
    stac
.Lstring_next:
    testq %rdx, %rdx
    jz .Lstring_end
    MAY_FAULT(.Lstring_fault, movb (%rsi), %al)
    movb %al, (%rdi)
    incq %rsi
    incq %rdi
    decq %rdx
    testb %al, %al
    jnz .Lstring_next
.Lstring_end:
    movq %r11, %rax
    subq %rdx, %rax
    jmp .Lend_rax
.Lstring_fault:
    movb $1, (%rcx)
    jmp .Lstring_end

    .section .note.GNU-stack, "", @progbits
