// Page-table entry bits (Intel SDM vol. 3, 4.5) and the fixed parts of the address map.
#pragma once
#include <cstdint>

#include "kernel/arch/asm_offsets.h"
#include "kernel/base/types.h"

namespace pte {
inline constexpr uint64_t kPresent = 1 << 0;
inline constexpr uint64_t kWrite = 1 << 1;
inline constexpr uint64_t kUser = 1 << 2;
inline constexpr uint64_t kWriteThrough = 1 << 3;
inline constexpr uint64_t kCacheDisable = 1 << 4;
inline constexpr uint64_t kAccessed = 1 << 5;
inline constexpr uint64_t kDirty = 1 << 6;
inline constexpr uint64_t kLarge = 1 << 7;   // PS: this entry maps 2 MiB or 1 GiB
inline constexpr uint64_t kGlobal = 1 << 8;  // survives a CR3 load
inline constexpr uint64_t kSoftware0 = 1 << 9;
inline constexpr uint64_t kSoftware1 = 1 << 10;
inline constexpr uint64_t kSoftware2 = 1 << 11;
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
