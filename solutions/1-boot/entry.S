// The first instructions of the kernel: from a boot loader's 32-bit protected mode to C++
// in the higher half.
//
// Two loaders reach us, both with paging off, flat 4 GiB segments and interrupts disabled:
//   GRUB (multiboot2): EAX = 0x36d76289, EBX = physical address of the information block
//     (Multiboot2 spec 3.3). It finds us by the header below.
//   QEMU -kernel (PVH): EBX = physical address of hvm_start_info. It finds start_pvh by the
//     ELF note below (Xen docs/misc/pvh.pandoc).
// Neither promises a stack, a GDT of its own that stays valid, or anything in the other
// registers. What it takes to get to kmain, in order:
//   1. keep the magic number and the info pointer out of the way of CPUID and REP STOS;
//   2. clear .bss (the page tables and the stack below are in it);
//   3. check that the CPU has long mode;
//   4. build page tables: 4 GiB in 2 MiB pages at 0, the same at DIRECT_MAP, and the first
//      GiB at KERNEL_BASE;
//   5. CR4.PAE, CR3, EFER.LME, CR0.PG (this order: Intel SDM vol. 3, 9.8.5), SSE on;
//   6. a far jump into a 64-bit code segment, then a jump to the high addresses.
// The image is linked at KERNEL_BASE + 1 MiB and loaded at 1 MiB: until step 6 every symbol
// must be used as PHYS(symbol). mm's kernel_space_init later replaces these tables and so
// drops the identity map.

#include "kernel/arch/asm_offsets.h"

#define PHYS(symbol) ((symbol) - KERNEL_BASE)

#define MULTIBOOT2_HEADER_MAGIC 0xe85250d6
#define MULTIBOOT2_BOOT_MAGIC 0x36d76289
#define PVH_MAGIC 0x336ec578
#define XEN_ELFNOTE_PHYS32_ENTRY 18

#define CR0_PE 0x00000001
#define CR0_MP 0x00000002 /* WAIT obeys TS */
#define CR0_EM 0x00000004 /* emulate the FPU: must be off for SSE */
#define CR0_TS 0x00000008
#define CR0_NE 0x00000020 /* FPU errors as exception 16 */
#define CR0_WP 0x00010000 /* the kernel obeys read-only pages, too */
#define CR0_PG 0x80000000
#define CR4_PAE 0x20
#define CR4_OSFXSR 0x200     /* SSE instructions and FXSAVE */
#define CR4_OSXMMEXCPT 0x400 /* SSE errors as exception 19 */
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100
#define EFER_NXE 0x800
#define PTE_PRESENT_WRITE 0x03
#define PTE_PRESENT_WRITE_LARGE 0x83
#define BOOT_CS 0x08

// ---- What the loaders look for ----

// A tag of the multiboot2 header: type, flags, size, and the words that belong to it.
    .macro TAG type, flags, words:vararg
    .balign 8
1:  .short \type, \flags
    .long 2f - 1b
    .ifnb \words
    .long \words
    .endif
2:
    .endm

    .section .multiboot, "a"
    .balign 8
multiboot_header:
    .long MULTIBOOT2_HEADER_MAGIC
    .long 0 // i386, 32-bit protected mode
    .long multiboot_header_end - multiboot_header
    // All four sum to 0 (mod 2^32).
    .long 0x100000000 - (MULTIBOOT2_HEADER_MAGIC + (multiboot_header_end - multiboot_header))

    TAG 1, 0, 1, 3, 6 // information request, required: command line, modules, memory map
    TAG 3, 0, PHYS(start_multiboot2) // entry address, physical
    TAG 5, 1, 1024, 768, 32 // framebuffer, optional: GRUB may give EGA text instead
    TAG 6, 0 // modules page aligned
    TAG 0, 0 // the end
multiboot_header_end:

    .section .note.Xen, "a", @note
    .balign 4
    .long 2f - 1f // name size
    .long 4f - 3f // descriptor size
    .long XEN_ELFNOTE_PHYS32_ENTRY
1:  .asciz "Xen"
2:  .balign 4
3:  .quad PHYS(start_pvh)
4:  .balign 4

// ---- 32-bit code, at physical addresses ----

    .section .text.entry, "ax"
    .code32
    .globl start_multiboot2
start_multiboot2:
    cmpl $MULTIBOOT2_BOOT_MAGIC, %eax
    movl $PHYS(.Lno_magic), %edi
    jne .Lfail
    movl %eax, %ebp
    jmp .Lcommon

    .globl start_pvh
start_pvh:
    cmpl $PVH_MAGIC, (%ebx)
    movl $PHYS(.Lno_magic), %edi
    jne .Lfail
    movl $PVH_MAGIC, %ebp

.Lcommon:
    // EBP = magic, ESI = info from here on: CPUID overwrites EBX.
    cli
    cld
    movl %ebx, %esi

    // The loader need not have cleared .bss, and RAM is not zero by itself.
    movl $PHYS(bss_start), %edi
    movl $PHYS(bss_end), %ecx
    subl %edi, %ecx
    shrl $2, %ecx
    xorl %eax, %eax
    rep stosl
    movl $PHYS(boot_stack_top), %esp

    // Long mode? (AMD APM vol. 3, E.4.2: CPUID 0x80000001, EDX bit 29; NX is bit 20.)
    movl $0x80000000, %eax
    cpuid
    movl $PHYS(.Lno_long_mode), %edi
    cmpl $0x80000001, %eax
    jb .Lfail
    movl $0x80000001, %eax
    cpuid
    btl $29, %edx
    jnc .Lfail
    pushl %edx

    // Top level: entry 0 (identity), 256 (DIRECT_MAP), 511 (KERNEL_BASE).
    movl $(PHYS(boot_pdpt) + PTE_PRESENT_WRITE), %eax
    movl %eax, PHYS(boot_pml4)
    movl %eax, PHYS(boot_pml4) + 256 * 8
    movl $(PHYS(boot_pdpt_kernel) + PTE_PRESENT_WRITE), PHYS(boot_pml4) + 511 * 8

    // Second level: four GiB, and the first of them again at -2 GiB.
    movl $(PHYS(boot_pd) + PTE_PRESENT_WRITE), %eax
    movl %eax, PHYS(boot_pdpt_kernel) + 510 * 8
    movl $PHYS(boot_pdpt), %edi
    movl $4, %ecx
1:  movl %eax, (%edi)
    addl $0x1000, %eax
    addl $8, %edi
    loop 1b

    // Third level: 2048 pages of 2 MiB. The last ends at 4 GiB, so that the upper half of
    // each entry stays 0.
    movl $PTE_PRESENT_WRITE_LARGE, %eax
    movl $PHYS(boot_pd), %edi
    movl $2048, %ecx
1:  movl %eax, (%edi)
    addl $0x200000, %eax
    addl $8, %edi
    loop 1b

    movl %cr4, %eax
    orl $(CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT), %eax
    movl %eax, %cr4
    movl $PHYS(boot_pml4), %eax
    movl %eax, %cr3

    // NXE only where CPUID has it: setting an undefined bit of EFER is a #GP.
    popl %edi
    movl $MSR_EFER, %ecx
    rdmsr
    orl $EFER_LME, %eax
    btl $20, %edi
    jnc 1f
    orl $EFER_NXE, %eax
1:  wrmsr

    movl %cr0, %eax
    andl $~(CR0_EM | CR0_TS), %eax
    orl $(CR0_PG | CR0_WP | CR0_NE | CR0_MP | CR0_PE), %eax
    movl %eax, %cr0

    // Now in compatibility mode; a 64-bit CS makes it long mode.
    lgdt PHYS(boot_gdt_pointer)
    ljmp $BOOT_CS, $PHYS(long_mode)

// Prints the text at EDI on COM1, as the loader set it up or after reset, and ends.
.Lfail:
    movl $100000, %ecx
1:  movw $0x3fd, %dx // LSR, bit 5: ready for a byte
    inb %dx, %al
    testb $0x20, %al
    loopz 1b
    movw $0x3f8, %dx
    movb (%edi), %al
    incl %edi
    testb %al, %al
    jz 2f
    outb %al, %dx
    jmp .Lfail
2:  movl $0x11, %eax // kExitPanic (kernel/arch/panic.h)
    movw $0xf4, %dx
    outl %eax, %dx
3:  cli
    hlt
    jmp 3b

// ---- 64-bit code ----

    .code64
long_mode:
    movabsq $long_mode_high, %rax
    jmp *%rax
long_mode_high:
    // Null data segments: 64-bit mode ignores their bases and limits. descriptors.cc loads
    // the real ones, and a GDT that does not need the identity map.
    xorl %eax, %eax
    .irp segment, ds, es, ss, fs, gs
    movl %eax, %\segment
    .endr
    fninit
    // A stack of 16-byte alignment before the call (System V ABI 3.2.2), and a null frame
    // pointer, where the stack walker stops.
    movq $boot_stack_top, %rsp
    movl %ebp, %edi
    movl %esi, %esi
    xorl %ebp, %ebp
    call kmain
1:  cli
    hlt
    jmp 1b

    .section .rodata.boot, "a"
    .balign 8
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff // code, ring 0, 64-bit (Intel SDM vol. 3, 3.4.5)
boot_gdt_end:
boot_gdt_pointer:
    .short boot_gdt_end - boot_gdt - 1
    .long PHYS(boot_gdt)
.Lno_magic:
    .asciz "lab 1: the boot loader's magic number is wrong\r\n"
.Lno_long_mode:
    .asciz "lab 1: this CPU has no 64-bit mode\r\n"

    .section .bss.boot, "aw", @nobits
    .balign 4096
boot_pml4:
    .skip 4096
boot_pdpt:
    .skip 4096
boot_pdpt_kernel:
    .skip 4096
boot_pd:
    .skip 4 * 4096
    .skip 4096 // the stack's guard: kernel_space_init unmaps the page below the stack
boot_stack:
    .skip 16384 // kBootStackSize (kernel/arch/paging.h)
    .globl boot_stack_top
boot_stack_top:

    .section .note.GNU-stack, "", @progbits
