// Lab 2, page_map.cc: the page tables of one address space. Contracts: kernel/mm/page_map.h.
//
// A table is a frame of 512 entries of 8 bytes; four levels of them translate a 48-bit
// address, nine bits a level (Intel SDM vol. 3, 4.5, figure 4-8):
//
//     level 4 (PML4)  bits 47..39     an entry covers 512 GiB
//     level 3 (PDPT)  bits 38..30                       1 GiB, may be a leaf
//     level 2 (PD)    bits 29..21                       2 MiB, may be a leaf
//     level 1 (PT)    bits 20..12                       4 KiB, always a leaf
//
// Making an empty map is done. Your work (handouts/2-paging.md): all the rest. Without it
// the kernel cannot leave the boot loader's page tables and says so.
#include "kernel/mm/page_map.h"

#include <algorithm>

#include "kernel/base/log.h"

#define TODO(function) LAB_TODO(2, function, "labs/2-paging/page_map.cc")

Result<void> page_map_create(PageMap& map, const PageMap* kernel) {
    Frame* root = TRY(frame_alloc_zeroed());
    map.root = frame_address(root);
    if (kernel != nullptr) {
        // The upper half of the root is the kernel's, the same in every address space.
        constexpr size_t kHalf = kTableEntries / 2;
        auto* from = static_cast<uint64_t*>(phys_to_virt(kernel->root));
        auto* to = static_cast<uint64_t*>(phys_to_virt(map.root));
        std::copy_n(from + kHalf, kHalf, to + kHalf);
    }
    return {};
}

void page_map_destroy(PageMap&) { TODO("page_map_destroy"); }

Result<void> page_map_map(PageMap&, VirtAddr, PhysAddr, uint64_t, uint64_t, bool) {
    TODO("page_map_map");
}

void page_map_replace(PageMap&, VirtAddr, PhysAddr, uint64_t, TlbBatch&) {
    TODO("page_map_replace");
}

Result<void> page_map_unmap(PageMap&, VirtAddr, uint64_t, TlbBatch&) {
    TODO("page_map_unmap");
}

Result<void> page_map_protect(PageMap&, VirtAddr, uint64_t, uint64_t, TlbBatch&) {
    TODO("page_map_protect");
}

std::optional<Translation> page_map_translate(const PageMap&, VirtAddr) {
    TODO("page_map_translate");
}

void page_map_visit(PageMap&, VirtAddr, uint64_t, LeafVisitor, void*) {
    TODO("page_map_visit");
}

uint64_t* page_map_find_table(const PageMap&, VirtAddr) { TODO("page_map_find_table"); }

Result<uint64_t*> page_map_make_table(PageMap&, VirtAddr) { TODO("page_map_make_table"); }
