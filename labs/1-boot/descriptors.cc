// GDT, TSS and IDT.
//
// Each CPU has a GDT and a TSS of its own, in Cpu::boot_lab; the IDT is shared. The order of
// the GDT is dictated by SYSCALL and SYSRET (asm_offsets.h). The TSS tells the CPU where its
// stacks are: RSP0 for a trap from ring 3, the IST for traps that cannot trust any stack in
// use.
//
// Sources: Intel SDM vol. 3, 3.4.5 (segment descriptors), 6.14.1 (gates), 7.2.3 (TSS
// descriptor), 7.7 (64-bit TSS).
#include "kernel/arch/traps.h"

#include "kernel/base/log.h"

// Builds and loads the GDT of `cpu` with the selectors of asm_offsets.h, reloads all segment
// registers, sets GS base to &cpu (after GS itself: loading it clears the base) and the
// inactive GS base to 0, builds its TSS with `ist_tops[i]` as the stack of IST i+1 and no I/O
// permissions, and loads TR. Runs on that CPU, interrupts off.
void descriptors_init_cpu(Cpu&, const VirtAddr[4]) {
    LAB_TODO(1, "descriptors_init_cpu", "labs/1-boot/descriptors.cc");
}

// Fills the one IDT that all CPUs share from trap_entry_points[256] (kernel/arch/trap_entry.S):
// interrupt gates, DPL 0, except #BP and #OF with DPL 3; IST for #DF, NMI, #MC, #DB.
void idt_init() { LAB_TODO(1, "idt_init", "labs/1-boot/descriptors.cc"); }

// Loads the IDT on the calling CPU.
void idt_load() { LAB_TODO(1, "idt_load", "labs/1-boot/descriptors.cc"); }

// Sets the stack that the calling CPU switches to on an interrupt from ring 3 (TSS.RSP0).
void set_kernel_stack(Cpu&, VirtAddr) {
    LAB_TODO(1, "set_kernel_stack", "labs/1-boot/descriptors.cc");
}
