// The kernel's own half of every address space: image (W^X), direct map, vmap area.
#pragma once
#include <cstdint>

#include "kernel/base/result.h"
#include "kernel/mm/page_map.h"

// Builds the final kernel map (text RX, rodata R, data RW+NX, direct map of all RAM with
// large pages RW+NX, no identity map; all top-level entries of the kernel half present, so
// that later address spaces share them for good) and loads it on the boot CPU.
void kernel_space_init();
PageMap& kernel_map();
PhysAddr kernel_root();

// Maps device memory, uncached (or write-combining by PAT entry 4, for framebuffers), NX.
// Never unmapped. Panics when memory runs out: boot time only.
void* map_mmio(PhysAddr address, size_t bytes, bool write_combining = false);

// Pages of kernel memory, contiguous in the vmap area, with an unmapped guard page before
// and after; contents unknown. ENOMEM. Freed ones are kept for reuse; many of them are
// unmapped together, with a flush on all CPUs.
Result<void*> vmap_alloc(size_t pages);
void vmap_free(void* address, size_t pages);
// Unmaps runs that were freed and are kept for the next user, until `rest` pages are left.
// Thread context, no spin lock.
void vmap_reclaim(uint64_t rest);

// A kernel stack of kKernelStackSize: an overflow hits the guard page below and is a double
// fault on its own stack, not a silent corruption. Returns the address above the stack's last
// byte (16-byte aligned). ENOMEM.
Result<VirtAddr> alloc_kernel_stack();
void free_kernel_stack(VirtAddr top);
