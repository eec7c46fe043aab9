// The kernel's own half of every address space: image (W^X), direct map, vmap area.
#pragma once

#include "kernel/mm/page_map.h"

// Builds the final kernel map (text RX, rodata R, data RW+NX, direct map of all RAM with
// large pages RW+NX, no identity map; all top-level entries of the kernel half present, so
// that later address spaces share them for good) and loads it on the boot CPU.
void kernel_space_init();
PageMap& kernel_map();

// Pages of kernel memory, contiguous in the vmap area, with an unmapped guard page before
// and after; contents unknown. ENOMEM. Freed ones are kept for reuse; many of them are
// unmapped together, with a flush on all CPUs.
Result<void*> vmap_alloc(size_t pages);
void vmap_free(void* address, size_t pages);
// Unmaps runs that were freed and are kept for the next user, until `rest` pages are left.
// Thread context, no spin lock.
void vmap_reclaim(uint64_t rest);
