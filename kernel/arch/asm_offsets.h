// Offsets and numbers that assembly and C++ share; cpu.h, thread.h, traps.h and smp.cc check
// them with static_assert.
#pragma once


// struct Cpu, addressed through GS in the kernel
#define CPU_SELF 0
#define CPU_CURRENT 8       /* Thread* running here */
#define CPU_KERNEL_RSP 16   /* top of the current thread's kernel stack */
#define CPU_USER_RSP 24     /* scratch for the SYSCALL entry, dead once saved in the frame */

// struct Thread
#define THREAD_SAVED_RSP 0  /* kernel stack pointer while not running */
#define THREAD_ATTENTION 8  /* uint32_t, bits of Thread::attention */

// Segment selectors (the GDT that lab 1's descriptors.cc builds). SYSCALL loads CS from
// STAR[47:32] and SS from that + 8; SYSRETQ loads SS from STAR[63:48] + 8 and CS from that
// + 16, which fixes this order (AMD APM vol. 2, 6.1.1).
#define KERNEL_CS 0x08
#define KERNEL_DS 0x10
#define USER_CS32 0x18
#define USER_DS 0x20
#define USER_CS 0x28
#define TSS_SELECTOR 0x30

// Virtual address map
#define KERNEL_BASE 0xffffffff80000000  /* image: physical address + this */
#define DIRECT_MAP 0xffff800000000000   /* all physical memory: physical address + this */
#define VMAP_BASE 0xffffc90000000000    /* kernel stacks, large buffers, MMIO windows */
#define USER_TOP 0x00007ffffffff000     /* first address above user space */

#define TRAP_FRAME_SIZE 176

// Starting other CPUs (smp.cc, trampoline.S): pages below 1 MiB, which the frame allocator
// never owns.

// Pages below 1 MiB, which the frame allocator never owns.
#define SMP_TRAMPOLINE 0x8000
#define SMP_PML4 0x9000
#define SMP_PDPT 0xa000
#define SMP_PD 0xb000

// struct Cpu
#define CPU_APIC_ID 36
#define CPU_SIZE 6464
#define SMP_MAX_CPUS 16
