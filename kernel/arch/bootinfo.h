// What the boot loader told us, in one form for both protocols. Lab 1's bootinfo.cc fills it.
#pragma once
#include <span>

#include "kernel/base/types.h"

enum class MemoryType : uint8_t { Available, Reserved, AcpiReclaimable, AcpiNvs, Bad };

struct MemoryRange {
    PhysAddr start;
    PhysAddr end;  // first byte after it
    MemoryType type;
};

struct Framebuffer {
    PhysAddr address;  // 0: none
    uint32_t pitch;    // bytes a line
    uint32_t width, height;
    uint8_t bits_per_pixel;
    uint8_t red_shift, green_shift, blue_shift;
};

inline constexpr size_t kMaxMemoryRanges = 64;
inline constexpr size_t kMaxCommandLine = 2048;

struct BootInfo {
    // As the firmware reported them: any order, possibly overlapping.
    MemoryRange memory[kMaxMemoryRanges];
    size_t memory_count;
    PhysAddr initramfs_start;  // first module; start == end: none
    PhysAddr initramfs_end;
    PhysAddr info_start;  // the loader's own block, to be kept until it is parsed
    PhysAddr info_end;
    PhysAddr rsdp;         // 0: not told
    uint8_t rsdp_copy[36]; // multiboot2 gives a copy of the RSDP instead of its address
    bool has_rsdp_copy;
    Framebuffer framebuffer;
    char command_line[kMaxCommandLine];
    const char* loader;  // "multiboot2" or "PVH"
};
extern BootInfo boot_info;

// Magic numbers that the entry code passes to kmain.
inline constexpr uint32_t kMultiboot2Magic = 0x36d76289;  // Multiboot2 spec, 3.3
inline constexpr uint32_t kPvhMagic = 0x336ec578;         // Xen hvm_start_info.magic

// ---- Lab 1, bootinfo.cc ----

// Parses a multiboot2 information block (spec 3.6: tags of 8-byte alignment). `block` is
// the block as mapped, `physical` its address in physical memory. Unknown tags are skipped;
// a truncated or overlong tag is EINVAL. Touches nothing outside `block`.
Result<void> parse_multiboot2(std::span<const uint8_t> block, PhysAddr physical,
                              BootInfo& out);

// Reads physical memory for parse_pvh: returns a pointer to `bytes` readable bytes at
// `address`, or nullptr when that is not possible.
using PhysicalReader = const void* (*)(PhysAddr address, size_t bytes);

// Parses a PVH hvm_start_info (Xen public/arch-x86/hvm/start_info.h) at `start`.
Result<void> parse_pvh(PhysAddr start, PhysicalReader read, BootInfo& out);

// Computes the RAM that the frame allocator may own: available ranges rounded inward to
// whole pages, minus page 0 (and all below 1 MiB), the kernel image [kernel_start,
// kernel_end), the initramfs and the loader's block (each rounded outward); sorted, disjoint
// and not empty. Returns the number of ranges written, at most out.size().
size_t usable_memory(const BootInfo& info, PhysAddr kernel_start, PhysAddr kernel_end,
                     std::span<MemoryRange> out);
