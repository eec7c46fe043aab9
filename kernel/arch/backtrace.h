// Stack walks by frame pointer and the kernel's own symbol table. Lab 1's backtrace.cc.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "kernel/base/types.h"

// A function of the kernel image. The table is generated after a first link
// (kernel/arch/make_symbols.sh), sorted by address, and embedded in the second.
struct Symbol {
    uint64_t address;
    const char* name;  // demangled; nullptr: here ends the code of the symbol before
};
std::span<const Symbol> kernel_symbols();

// May the walker read 16 bytes at `frame`? The caller knows what stacks exist.
using StackCheck = bool (*)(VirtAddr frame);
// The kernel's: mapped memory of the vmap area or the image. For panics and interrupt
// handlers, too (kernel/arch/panic.cc).
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
