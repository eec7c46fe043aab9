// The end of the kernel: how it got there (lab 1's backtrace.cc), what it says, and how the
// machine stops. `panic` itself is declared in kernel/base/log.h.
#pragma once
#include <span>

#include "kernel/arch/traps.h"

// Panics because of the trap in `frame`: prints its registers, the decoded page walk of CR2
// for a page fault and the backtrace from where it happened. The message names the trap;
// `why`, when not null, is added to it.
[[noreturn, gnu::cold]] void panic_trap(TrapFrame& frame, const char* why);
// Is another CPU in a panic, so that this one must halt? For the NMI entry.
bool panic_stops_this_cpu();

// ---- Ending the machine, with a status for the host ----

// Status bytes written to QEMU's isa-debug-exit at port 0xf4, which makes QEMU exit with
// (status << 1) | 1. Bochs has no status: its host reads "PANIC:" on the console.
inline constexpr uint8_t kExitPowerOff = 0x10;  // QEMU exits with 33
inline constexpr uint8_t kExitPanic = 0x11;     // QEMU exits with 35

// Waits until the serial ports have sent what they hold, then tries in turn isa-debug-exit,
// Bochs's port 0x8900 and ACPI S5, and halts.
[[noreturn]] void machine_power_off(uint8_t status);
[[noreturn]] void machine_reboot();

// ACPI's PM1a control register (specification 4.8.3.2), which powers this machine off; 0:
// unknown. The ACPI driver sets it.
extern uint16_t acpi_power_port;

// ---- Stack walks by frame pointer, and the kernel's own symbol table ----

// A function of the kernel image. The table is generated after a first link
// (kernel/arch/make_symbols.sh), sorted by address, and embedded in the second.
struct Symbol {
    uint64_t address;
    const char* name;  // demangled; nullptr: here ends the code of the symbol before
};
std::span<const Symbol> kernel_symbols();

// May the walker read 16 bytes at `frame`? The caller knows what stacks exist.
using StackCheck = bool (*)(VirtAddr frame);
// The running thread's kernel stack: there is always memory there, so this is safe in an
// interrupt handler, even of an NMI. The outermost frame pointer there is the program's, which
// may hold anything.
bool is_kernel_stack(VirtAddr frame);

// ---- Lab 1, backtrace.cc ----

// Follows saved frame pointers from `rbp`, writing the return addresses found, innermost
// first, at most out.size(). Stops at a null, misaligned, not increasing or (by `readable`)
// unreadable frame pointer. Returns the number written. Never faults.
size_t walk_stack(VirtAddr rbp, StackCheck readable, std::span<VirtAddr> out);

struct SymbolMatch {
    const char* name;  // nullptr: no symbol covers the address
    uint64_t offset;   // bytes after its start
};
// The last symbol at or below `address` in `table` (sorted by address). A null name in the
// table means that no symbol covers what follows. For a return address look up address - 1:
// the call may be the function's last instruction.
SymbolMatch find_symbol(std::span<const Symbol> table, uint64_t address);
