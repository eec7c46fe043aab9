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
//   2. clear .bss, from bss_start to bss_end (the page tables and the stack are in it);
//   3. check that the CPU has long mode;
//   4. build page tables: 4 GiB in 2 MiB pages at 0, the same at DIRECT_MAP, and the first
//      GiB at KERNEL_BASE;
//   5. CR4.PAE, CR3, EFER.LME, CR0.PG (this order: Intel SDM vol. 3, 9.8.5), SSE on;
//   6. a far jump into a 64-bit code segment, then a jump to the high addresses;
//   7. call kmain(magic, info), the stack 16-byte aligned before the call, RBP 0.
// The image is linked at KERNEL_BASE + 1 MiB and loaded at 1 MiB: until step 6 every symbol
// must be used as PHYS(symbol). mm's kernel_space_init later replaces these tables and so
// drops the identity map.
//
// The headers are given. The code below says on COM1 that the rest is missing.

#include "kernel/arch/asm_offsets.h"

#define PHYS(symbol) ((symbol) - KERNEL_BASE)

#define MULTIBOOT2_HEADER_MAGIC 0xe85250d6
#define XEN_ELFNOTE_PHYS32_ENTRY 18

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
    .globl start_pvh
start_multiboot2:
start_pvh:
    cli
    cld
    // COM1: 115200 baud, 8 bits, no parity, one stop bit, FIFOs on.
    movl $PHYS(.Luart_setup), %esi
    movl $5, %ecx
1:  movw $0x300, %dx
    movb (%esi), %dl
    movb 1(%esi), %al
    outb %al, %dx
    addl $2, %esi
    loop 1b

    movl $PHYS(.Lmessage), %esi
.Lnext:
    movl $100000, %ecx
1:  movw $0x3fd, %dx // LSR, bit 5: ready for a byte
    inb %dx, %al
    testb $0x20, %al
    loopz 1b
    movw $0x3f8, %dx
    lodsb
    testb %al, %al
    jz 2f
    outb %al, %dx
    jmp .Lnext

    // Let the last byte leave (LSR bit 6), then end the machine: QEMU's isa-debug-exit with
    // kExitPanic (kernel/arch/panic.h), Bochs by a text at port 0x8900.
2:  movl $100000, %ecx
1:  movw $0x3fd, %dx
    inb %dx, %al
    testb $0x40, %al
    loopz 1b
    movl $0x11, %eax
    movw $0xf4, %dx
    outl %eax, %dx
    movl $PHYS(.Lshutdown), %esi
    movl $8, %ecx
    movw $0x8900, %dx
    rep outsb
3:  hlt
    jmp 3b

    .section .rodata.boot, "a"
.Luart_setup: // register (low byte of the port), value
    .byte 0xfb, 0x80, 0xf8, 0x01, 0xf9, 0x00, 0xfb, 0x03, 0xfa, 0x07
.Lmessage:
    .asciz "lab 1: long mode is not implemented yet (labs/1-boot/entry.S)\r\n"
.Lshutdown:
    .ascii "Shutdown"

    .section .bss.boot, "aw", @nobits
    .balign 4096
    .skip 4096 // the stack's guard: kernel_space_init unmaps the page below the stack
boot_stack:
    .skip 16384 // kBootStackSize (kernel/arch/paging.h)
    .globl boot_stack_top
boot_stack_top:

    .section .note.GNU-stack, "", @progbits
