// What the boot loader told us, in one form for both protocols, and the RAM that is left
// for the frame allocator.
//
// Both parsers read memory that something else wrote: check every length against what
// encloses it before you use it, and copy structures out with memcpy, because nothing
// promises their alignment.
//
// Sources: Multiboot2 specification 3.4-3.6; Xen public/arch-x86/hvm/start_info.h.
// Compiles on the host, too (grader suite of lab 1).
#include "kernel/arch/bootinfo.h"

#include "kernel/base/log.h"

// Parses a multiboot2 information block (spec 3.6: tags of 8-byte alignment). `block` is
// the block as mapped, `physical` its address in physical memory. Unknown tags are skipped;
// a truncated or overlong tag, or a block without the end tag, is EINVAL. The first module is
// the initramfs; of the framebuffers only direct colour counts; of two RSDP copies the newer.
// A range whose end overflows is cut at the last page. When there are more than
// kMaxMemoryRanges, available ones are dropped and any other is E2BIG. Touches nothing outside
// `block`.
Result<void> parse_multiboot2(std::span<const uint8_t>, PhysAddr, BootInfo&) {
    LAB_TODO(1, "parse_multiboot2", "labs/1-boot/bootinfo.cc");
}

// Parses a PVH hvm_start_info (Xen public/arch-x86/hvm/start_info.h) at `start`, of version 1
// or later, with the same rules for ranges. EINVAL when `read` gives nullptr.
Result<void> parse_pvh(PhysAddr, PhysicalReader, BootInfo&) {
    LAB_TODO(1, "parse_pvh", "labs/1-boot/bootinfo.cc");
}

// Computes the RAM that the frame allocator may own: available ranges rounded inward to
// whole pages, minus page 0 (and all below 1 MiB), the kernel image [kernel_start,
// kernel_end), the initramfs, the loader's block and all ranges that are not available (each
// rounded outward); sorted, disjoint and not empty. Returns the number of ranges written, at
// most out.size().
size_t usable_memory(const BootInfo&, PhysAddr, PhysAddr, std::span<MemoryRange>) {
    LAB_TODO(1, "usable_memory", "labs/1-boot/bootinfo.cc");
}
