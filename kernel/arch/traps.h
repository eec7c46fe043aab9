// Interrupts and exceptions after the assembly entry: the table of handlers.
#pragma once
#include <cstdint>

#include "kernel/arch/trap_frame.h"

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
inline constexpr uint8_t kVectorIpi = 0xe1;      // see kernel/arch/ipi.h
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

// Called with interrupts off on the way back to user mode: calls the hook while
// current->attention is not zero. The hook is set by main.cc; it runs schedule(), signal
// delivery and so on, and must clear the bits it has dealt with.
using UserReturnHook = void (*)(TrapFrame& frame);
void set_user_return_hook(UserReturnHook hook);
extern "C" void user_return_work(TrapFrame* frame);

// Fix-up table: faults at `fault_rip` in kernel mode resume at `resume_rip`
// (section .fixups, filled by lab 3's user_copy.S and others with two .quad a entry).
struct Fixup {
    uint64_t fault_rip, resume_rip;
};
// The resume point of the entry for `rip`; 0: there is none.
uint64_t find_fixup(uint64_t rip);

extern "C" {
// Leaves the kernel for user mode with the registers of *frame, by IRETQ; does swapgs.
// Interrupts off. `frame` lies on the kernel stack.
[[noreturn]] void trap_return(TrapFrame* frame);
}
