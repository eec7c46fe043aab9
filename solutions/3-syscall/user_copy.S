// Lab 3, user_copy.S: the only instructions of the kernel that touch user memory. Contracts:
// kernel/mm/user_access.h.
//
// An instruction that may fault has an entry in the section .fixups: its address and where to
// go on when the fault cannot be resolved. What makes the count of uncopied bytes exact is
// one rule: at each such instruction RDI, RSI and RDX say where the copy stands (to, from,
// bytes left), counting whole groups only. A fault in a fast loop goes on in the byte loop
// from there: it copies again what its group had copied already, and stops at the byte that
// really faults. Only the byte loop's own fault ends the copy.
//
// Sizes: below 8 bytes by bytes; up to the tail in groups of 64 (all loads before all
// stores: two independent streams), then words of 8; the last 1 to 7 bytes by one word that
// overlaps what is copied already. Long copies go by REP MOVSQ where page_copy_init found
// that faster. There RCX counts the words left, and the fault path computes RDX from it.
//
// With SMAP the kernel may touch user pages only while RFLAGS.AC is set (Intel SDM vol. 3,
// 4.6.1): STAC at the beginning, CLAC at the only end. DF is clear (System V ABI, 3.2.1).

#include "kernel/arch/assembly.h"

#define REP_MINIMUM 256

// An instruction that may fault, and where its fault resumes.
#define MAY_FAULT(resume, ...)          \
98: __VA_ARGS__;                        \
    .pushsection .fixups, "a";          \
    .quad 98b, resume;                  \
    .popsection

    // Every function begins so, and ends at .Lend or .Lend_rax.
    .macro BEGIN_USER_ACCESS
    pushq %rbp
    movq %rsp, %rbp
    cmpb $0, user_copy_smap(%rip)
    je 1f
    stac
1:
    .endm

    .text

// ---- size_t user_copy_in(void* to, VirtAddr from, size_t size)
// ---- size_t user_copy_out(VirtAddr to, const void* from, size_t size)
    .balign 16
FUNCTION(user_copy_in)
FUNCTION(user_copy_out)
    BEGIN_USER_ACCESS
    cmpq $8, %rdx
    jb .Lcopy_bytes
    cmpq $64, %rdx
    jb .Lcopy_words
    cmpq $REP_MINIMUM, %rdx
    jb .Lcopy_groups
    cmpb $0, user_copy_rep(%rip)
    jne .Lcopy_rep

.Lcopy_groups:
    .irp half, 0, 32
    MAY_FAULT(.Lcopy_bytes, movq \half(%rsi), %rax)
    MAY_FAULT(.Lcopy_bytes, movq \half + 8(%rsi), %rcx)
    MAY_FAULT(.Lcopy_bytes, movq \half + 16(%rsi), %r8)
    MAY_FAULT(.Lcopy_bytes, movq \half + 24(%rsi), %r9)
    MAY_FAULT(.Lcopy_bytes, movq %rax, \half(%rdi))
    MAY_FAULT(.Lcopy_bytes, movq %rcx, \half + 8(%rdi))
    MAY_FAULT(.Lcopy_bytes, movq %r8, \half + 16(%rdi))
    MAY_FAULT(.Lcopy_bytes, movq %r9, \half + 24(%rdi))
    .endr
    addq $64, %rsi
    addq $64, %rdi
    subq $64, %rdx
    cmpq $64, %rdx
    jae .Lcopy_groups
    testq %rdx, %rdx
    jz .Lend

// 1 to 63 bytes are left. If fewer than 8, at least 8 are behind us unless the copy began
// here, and then it has at least 8.
.Lcopy_words:
    subq $8, %rdx
    jb .Lcopy_tail
.Lcopy_word:
    MAY_FAULT(.Lcopy_word_fault, movq (%rsi), %rax)
    MAY_FAULT(.Lcopy_word_fault, movq %rax, (%rdi))
    addq $8, %rsi
    addq $8, %rdi
    subq $8, %rdx
    jae .Lcopy_word
// RDX is the number of bytes left, minus 8: as an offset it makes the last word end where the
// copy ends.
.Lcopy_tail:
    cmpq $-8, %rdx
    je .Lend_all
    MAY_FAULT(.Lcopy_word_fault, movq (%rsi, %rdx), %rax)
    MAY_FAULT(.Lcopy_word_fault, movq %rax, (%rdi, %rdx))
.Lend_all:
    xorl %edx, %edx
    jmp .Lend
.Lcopy_word_fault:
    addq $8, %rdx
    jmp .Lcopy_bytes

.Lcopy_rep:
    movq %rdx, %rcx
    shrq $3, %rcx
    andl $7, %edx
    MAY_FAULT(.Lcopy_rep_fault, rep movsq)
    testl %edx, %edx
    jz .Lend
    jmp .Lcopy_words
.Lcopy_rep_fault:
    leaq (%rdx, %rcx, 8), %rdx

.Lcopy_bytes:
    testq %rdx, %rdx
    jz .Lend
.Lcopy_byte:
    MAY_FAULT(.Lend, movb (%rsi), %al)
    MAY_FAULT(.Lend, movb %al, (%rdi))
    incq %rsi
    incq %rdi
    decq %rdx
    jnz .Lcopy_byte

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
    .balign 16
FUNCTION(user_copy_zero)
    BEGIN_USER_ACCESS
    movq %rsi, %rdx
    xorl %eax, %eax
    subq $64, %rdx
    jb .Lzero_rest
.Lzero_group:
    .irp offset, 0, 8, 16, 24, 32, 40, 48, 56
    MAY_FAULT(.Lzero_rest, movq %rax, \offset(%rdi))
    .endr
    addq $64, %rdi
    subq $64, %rdx
    jae .Lzero_group
.Lzero_rest:
    addq $64, %rdx
    jz .Lend
.Lzero_byte:
    MAY_FAULT(.Lend, movb %al, (%rdi))
    incq %rdi
    decq %rdx
    jnz .Lzero_byte
    jmp .Lend

// ---- size_t user_copy_string(char* to, VirtAddr from, size_t size, uint8_t* faulted)
// Bytes until `from` is aligned, then words: an aligned word lies in one page, so reading it
// touches nothing beyond the page that the string's bytes are in. The word has a zero byte
// exactly when (w - 0x01..01) & ~w & 0x80..80 is not 0; then bytes again, up to the NUL.
    .balign 16
FUNCTION(user_copy_string)
    BEGIN_USER_ACCESS
    movq %rdx, %r11             // for the result: copied = size - left
    movabsq $0x0101010101010101, %r8
    movabsq $0x8080808080808080, %r9
    testb $7, %sil
    jnz .Lstring_bytes
.Lstring_word:
    cmpq $8, %rdx
    jb .Lstring_bytes
    MAY_FAULT(.Lstring_bytes, movq (%rsi), %rax)
    movq %rax, %r10
    subq %r8, %r10
    andq %r9, %r10
    notq %rax
    testq %rax, %r10
    jnz .Lstring_bytes
    notq %rax
    movq %rax, (%rdi)
    addq $8, %rsi
    addq $8, %rdi
    subq $8, %rdx
    jmp .Lstring_word
.Lstring_bytes:
    testq %rdx, %rdx
    jz .Lstring_end
    MAY_FAULT(.Lstring_fault, movb (%rsi), %al)
    movb %al, (%rdi)
    incq %rsi
    incq %rdi
    decq %rdx
    testb %al, %al
    jz .Lstring_end
    testb $7, %sil
    jnz .Lstring_bytes
    jmp .Lstring_word
.Lstring_fault:
    movb $1, (%rcx)
.Lstring_end:
    movq %r11, %rax
    subq %rdx, %rax
    jmp .Lend_rax

    .section .note.GNU-stack, "", @progbits
