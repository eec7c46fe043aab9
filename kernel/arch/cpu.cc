// The objects that belong to no other file of this layer: per-CPU data, the boot loader's
// report, the embedded symbol table.
#include "kernel/arch/cpu.h"

#include "kernel/arch/backtrace.h"
#include "kernel/arch/bootinfo.h"

Cpu cpus[kMaxCpus];
uint32_t cpu_count = 1;
BootInfo boot_info;

// Bounds set by the linker script; empty in the first link.
extern "C" const Symbol symbol_table_start[], symbol_table_end[];

std::span<const Symbol> kernel_symbols() {
    return {symbol_table_start, static_cast<size_t>(symbol_table_end - symbol_table_start)};
}
