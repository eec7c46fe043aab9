// The map of memory: page-table entry bits (Intel SDM vol. 3, 4.5), the fixed parts of the
// address space, the kernel image, and what this layer needs of memory management above it.
#pragma once

#include "kernel/arch/asm_offsets.h"
#include "kernel/base/types.h"

namespace pte {
inline constexpr uint64_t kPresent = 1 << 0, kWrite = 1 << 1, kUser = 1 << 2;
inline constexpr uint64_t kWriteThrough = 1 << 3, kCacheDisable = 1 << 4;
inline constexpr uint64_t kAccessed = 1 << 5, kDirty = 1 << 6;
inline constexpr uint64_t kLarge = 1 << 7;   // PS: this entry maps 2 MiB or 1 GiB
inline constexpr uint64_t kGlobal = 1 << 8;  // survives a CR3 load
inline constexpr uint64_t kSoftware0 = 1 << 9, kSoftware1 = 1 << 10, kSoftware2 = 1 << 11;
inline constexpr uint64_t kNoExecute = 1ull << 63;
inline constexpr uint64_t kAddressMask = 0x000ffffffffff000;
}  // namespace pte

inline constexpr VirtAddr kKernelBase = KERNEL_BASE;
inline constexpr VirtAddr kDirectMap = DIRECT_MAP;
inline constexpr VirtAddr kVmapBase = VMAP_BASE;
inline constexpr VirtAddr kUserTop = USER_TOP;
inline constexpr VirtAddr kUserBottom = 0x10000;  // lowest address that mmap gives

// RAM as the kernel sees it; valid for every frame from the first instruction of kmain for
// the first 4 GiB, and for all of it once kernel_space_init has run. Not for MMIO: use
// map_mmio.
#if __STDC_HOSTED__
// Host tests: physical memory is an array of the test's.
extern unsigned char* host_physical_memory;
inline void* phys_to_virt(PhysAddr address) { return host_physical_memory + address; }
inline PhysAddr virt_to_phys(const void* pointer) {
    return static_cast<PhysAddr>(static_cast<const unsigned char*>(pointer) -
                                 host_physical_memory);
}
#else
inline void* phys_to_virt(PhysAddr address) {
    return reinterpret_cast<void*>(address + kDirectMap);
}
// Of a pointer into the direct map only.
inline PhysAddr virt_to_phys(const void* pointer) {
    return reinterpret_cast<VirtAddr>(pointer) - kDirectMap;
}
#endif
// Canonical: bits 63..47 all equal (48-bit linear addresses).
inline bool is_canonical(VirtAddr address) {
    return static_cast<uint64_t>((static_cast<int64_t>(address) << 16) >> 16) == address;
}

// ---- The kernel image, as the linker script (kernel/kernel.ld) lays it out ----
// All boundaries are page aligned; addresses are virtual, physical = address - kKernelBase.
//
//   kernel_start
//     kernel_text_start    .. kernel_text_end     read, execute
//     kernel_rodata_start  .. kernel_rodata_end   read (notes, constants, fix-ups, tables)
//     kernel_data_start    .. kernel_data_end     read, write (.data and .bss)
//     kernel_symbols_start .. kernel_symbols_end  read (the embedded symbol table)
//   kernel_end
//
// The symbol table is last, so that adding it in the second link moves nothing.

extern "C" char kernel_start[], kernel_end[];
extern "C" char kernel_text_start[], kernel_text_end[];
extern "C" char kernel_rodata_start[], kernel_rodata_end[];
extern "C" char kernel_data_start[], kernel_data_end[];
extern "C" char kernel_symbols_start[], kernel_symbols_end[];

// Physical address of something inside the kernel image.
inline PhysAddr image_to_phys(const void* pointer) {
    return reinterpret_cast<VirtAddr>(pointer) - kKernelBase;
}

// The stack that entry.S gives to kmain (lab 1); it becomes the boot CPU's idle stack.
inline constexpr size_t kBootStackSize = 16 * 1024;
extern "C" char boot_stack_top[];

// ---- Memory management, which lies above: defined in kernel/mm ----

PhysAddr kernel_root();  // of the kernel's own page map
// Maps device memory, uncached (or write-combining by PAT entry 4, for framebuffers), NX.
// Never unmapped. Panics when memory runs out: boot time only.
void* map_mmio(PhysAddr address, size_t bytes, bool write_combining = false);
// A kernel stack of kKernelStackSize: an overflow hits the guard page below and is a double
// fault on its own stack, not a silent corruption. Returns the address above the stack's last
// byte (16-byte aligned). ENOMEM.
Result<VirtAddr> alloc_kernel_stack();
void free_kernel_stack(VirtAddr top);
void* kmalloc(size_t size);
void kfree(void* object, size_t size);
