// Interrupts and exceptions: what every kernel entry saves, the handlers that are called after
// it, and the tables that lead there (lab 1's descriptors.cc).
#pragma once

#include "kernel/arch/cpu.h"

// ---- The registers of an interrupted context ----
// Interrupts, exceptions and SYSCALL push the same layout (kernel/arch/trap_entry.S,
// lab 3's entry.S), so that fork, signals, the profiler and panic read one format.

struct TrapFrame {
    uint64_t r15, r14, r13, r12, rbp, rbx;  // callee-saved (System V ABI)
    uint64_t r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    uint64_t vector;  // exception or interrupt number; kSyscallVector for SYSCALL
    uint64_t error;   // the CPU's error code, or 0; the call number (as given in RAX) for SYSCALL
    uint64_t rip, cs, rflags, rsp, ss;  // what the CPU pushes

    bool from_user() const { return (cs & 3) == 3; }
};
inline constexpr size_t kTrapFrameSize = 22 * 8;
static_assert(sizeof(TrapFrame) == kTrapFrameSize);
static_assert(offsetof(TrapFrame, rax) == 80);
static_assert(offsetof(TrapFrame, rip) == 136);

inline constexpr uint64_t kSyscallVector = 0x100;

// ---- Handlers ----

// Vectors (Intel SDM vol. 3, table 6-1; from 32 on ours to choose).
inline constexpr uint8_t kVectorDivide = 0, kVectorDebug = 1, kVectorNmi = 2,
                         kVectorBreakpoint = 3, kVectorOverflow = 4, kVectorBound = 5,
                         kVectorInvalidOpcode = 6, kVectorDoubleFault = 8,
                         kVectorSegmentNotPresent = 11, kVectorStackFault = 12,
                         kVectorGeneralProtection = 13, kVectorPageFault = 14,
                         kVectorFpu = 16, kVectorAlignment = 17, kVectorMachineCheck = 18,
                         kVectorSimd = 19;
inline constexpr uint8_t kVectorIrqBase = 32;    // ISA interrupts through the IOAPIC: 32 + n
inline constexpr uint8_t kVectorTimer = 0xe0;    // local APIC timer
inline constexpr uint8_t kVectorIpi = 0xe1;      // see kernel/arch/smp.h
inline constexpr uint8_t kVectorSpurious = 0xff; // no EOI

using TrapHandler = void (*)(TrapFrame& frame);
// One handler a vector, set at boot, before interrupts are on. Handlers run with interrupts
// off. Interrupt handlers (vector >= 32) are followed by EOI, done by the trap core.
void set_trap_handler(uint8_t vector, TrapHandler handler);

// Called from trap_entry.S with interrupts off, returns with interrupts off. An exception
// without a handler, or from kernel mode without a fix-up, panics; of those in kernel mode
// only #PF, NMI, #DB and #BP reach their handler (which panics by panic_trap,
// kernel/arch/panic.h, when it has no use for it). The page-fault handler reads CR2 before it
// turns interrupts on. Then, when the frame is from user mode, calls user_return_work.
extern "C" void trap_dispatch(TrapFrame* frame);

// Called with interrupts off on the way back to user mode: calls task_return_to_user while
// current->attention is not zero.
extern "C" void user_return_work(TrapFrame* frame);
// The slow path back to user mode: exit, signals, reschedule. The task layer's
// (kernel/task/signals.cc); clears the bits it has dealt with. Interrupts off on entry and
// return.
void task_return_to_user(TrapFrame& frame);

// Fix-up table: faults at `fault_rip` in kernel mode resume at `resume_rip`
// (section .fixups, filled by lab 3's user_copy.S and others with two .quad a entry).
struct Fixup {
    uint64_t fault_rip, resume_rip;
};
// The resume point of the entry for `rip`; 0: there is none.
uint64_t find_fixup(uint64_t rip);

// Leaves the kernel for user mode with the registers of *frame, by IRETQ; does swapgs.
// Interrupts off. `frame` lies on the kernel stack.
extern "C" [[noreturn]] void trap_return(TrapFrame* frame);

// ---- GDT, TSS and IDT (Intel SDM vol. 3, 3.5, 6.10, 7.2) ----

// Interrupt stack table entries of the TSS (1..7; 0 keeps the current stack).
inline constexpr uint8_t kIstDoubleFault = 1, kIstNmi = 2, kIstMachineCheck = 3,
                         kIstDebug = 4;

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
