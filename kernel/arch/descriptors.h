// GDT, TSS and IDT (Intel SDM vol. 3, 3.5, 6.10, 7.2). Lab 1's descriptors.cc.
#pragma once
#include <cstdint>

#include "kernel/arch/cpu.h"
#include "kernel/base/types.h"

// Interrupt stack table entries of the TSS (1..7; 0 keeps the current stack).
inline constexpr uint8_t kIstDoubleFault = 1;
inline constexpr uint8_t kIstNmi = 2;
inline constexpr uint8_t kIstMachineCheck = 3;
inline constexpr uint8_t kIstDebug = 4;

// ---- Lab 1, descriptors.cc ----

// Builds and loads the GDT of `cpu` with the selectors of asm_offsets.h, reloads all
// segment registers, sets GS base to &cpu, builds its TSS with `ist_tops[i]` as the stack of
// IST i+1, and loads TR. Runs on that CPU, interrupts off. The 8 bytes at each `ist_tops[i]`,
// just above the stack, hold the address of `cpu`: trap_entry.S finds it there when GS cannot
// be trusted (set up by descriptors_boot_cpu and smp_start).
void descriptors_init_cpu(Cpu& cpu, const VirtAddr ist_tops[4]);
// Fills the one IDT that all CPUs share from trap_entry_points[256] (kernel/arch/trap_entry.S):
// interrupt gates, DPL 0, except #BP and #OF with DPL 3; IST for #DF, NMI, #MC, #DB.
void idt_init();
// Loads the IDT on the calling CPU.
void idt_load();
// Sets the stack that the calling CPU switches to on an interrupt from ring 3 (TSS.RSP0).
void set_kernel_stack(Cpu& cpu, VirtAddr top);

// ---- kernel ----

// Early in kmain: descriptors, IST stacks and IDT of the boot CPU, and its kernel_rsp, so
// that this_cpu() works and an exception is a panic instead of a reset.
void descriptors_boot_cpu();
extern "C" const VirtAddr trap_entry_points[256];
