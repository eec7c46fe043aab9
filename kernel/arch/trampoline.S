// Where the other CPUs start: real mode, CS:IP = (page << 8):0, nothing else set up.
//
// smp.cc copies this code, position dependent, to physical SMP_TRAMPOLINE and fills in what
// stands at its end. It goes straight from real mode with a flat GDT to protected mode and on
// to long mode, with page tables of its own: a copy of the kernel's top level plus an
// identity entry for the first 2 MiB, which exists nowhere else. smp_entry64, in the kernel
// image, leaves them at once for the kernel's own.

#include "kernel/arch/asm_offsets.h"

#define AT(label) (SMP_TRAMPOLINE + (label) - smp_trampoline)

    .section .rodata
    .balign 16
    .globl smp_trampoline
    .globl smp_trampoline_end
    .globl smp_trampoline_efer
smp_trampoline:
    .code16
    cli
    cld
    xorw %ax, %ax
    movw %ax, %ds
    lgdtl AT(.Lgdt_pointer)
    movl %cr0, %eax
    orl $1, %eax // PE
    movl %eax, %cr0
    ljmpl $0x08, $AT(.Lprotected)

    .code32
.Lprotected:
    movw $0x10, %ax
    movw %ax, %ds
    movw %ax, %ss
    movl %cr4, %eax
    orl $0x620, %eax // PAE, OSFXSR, OSXMMEXCPT
    movl %eax, %cr4
    movl $SMP_PML4, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx // EFER: LME, and NXE where the page tables use it
    movl AT(smp_trampoline_efer), %eax
    xorl %edx, %edx
    wrmsr
    movl $0x80010033, %eax // PG, WP, NE, ET, MP, PE
    movl %eax, %cr0
    ljmpl $0x18, $AT(.Llong)

    .code64
.Llong:
    movabsq $smp_entry64, %rax
    jmp *%rax

    .balign 8
.Lgdt:
    .quad 0
    .quad 0x00cf9b000000ffff // code, 32-bit
    .quad 0x00cf93000000ffff // data
    .quad 0x00af9b000000ffff // code, 64-bit
.Lgdt_pointer:
    .short . - .Lgdt - 1
    .long AT(.Lgdt)
smp_trampoline_efer:
    .long 0
smp_trampoline_end:

// In the kernel image, still on the trampoline's page tables and without a stack. Many CPUs
// may be here at once: each finds its own Cpu by its APIC id (CPUID leaf 1, EBX[31:24]).
    .text
    .globl smp_entry64
smp_entry64:
    movq smp_kernel_root(%rip), %rax
    movq %rax, %cr3
    movl $1, %eax
    cpuid
    shrl $24, %ebx
    movq $cpus, %rdi
    movl $SMP_MAX_CPUS, %ecx
1:  cmpl %ebx, CPU_APIC_ID(%rdi)
    jne 2f
    movq CPU_KERNEL_RSP(%rdi), %rsp
    testq %rsp, %rsp
    jz 2f
    xorl %ebp, %ebp
    call smp_cpu_main
2:  addq $CPU_SIZE, %rdi
    decl %ecx
    jnz 1b
3:  cli // not expected: stay out of the way
    hlt
    jmp 3b

    .section .note.GNU-stack, "", @progbits
