// The parts of the kernel image, as the linker script (kernel/kernel.ld) lays them out. All
// boundaries are page aligned; addresses are virtual, physical = address - kKernelBase.
//
//   kernel_start
//     kernel_text_start    .. kernel_text_end     read, execute
//     kernel_rodata_start  .. kernel_rodata_end   read (notes, constants, fix-ups, tables)
//     kernel_data_start    .. kernel_data_end     read, write (.data and .bss)
//     kernel_symbols_start .. kernel_symbols_end  read (the embedded symbol table)
//   kernel_end
//
// The symbol table is last, so that adding it in the second link moves nothing.
#pragma once
#include "kernel/arch/paging.h"
#include "kernel/base/types.h"

extern "C" {
extern char kernel_start[], kernel_end[];
extern char kernel_text_start[], kernel_text_end[];
extern char kernel_rodata_start[], kernel_rodata_end[];
extern char kernel_data_start[], kernel_data_end[];
extern char kernel_symbols_start[], kernel_symbols_end[];
}

// Physical address of something inside the kernel image.
inline PhysAddr image_to_phys(const void* pointer) {
    return reinterpret_cast<VirtAddr>(pointer) - kKernelBase;
}

// The stack that entry.S gives to kmain (lab 1); it becomes the boot CPU's idle stack.
inline constexpr size_t kBootStackSize = 16 * 1024;
extern "C" char boot_stack_top[];
