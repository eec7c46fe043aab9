// Page maps: the 4-level page tables of one address space (Intel SDM vol. 3, 4.5).
// map, unmap, protect and translate are lab 2's page_map.cc.
//
// An entry is in use when it is not 0. A used entry of an intermediate level is always
// present; a used leaf is present unless it has kPageNoAccess (PROT_NONE keeps its page, and
// neither the user nor the kernel on the user's behalf can reach it).
//
// Entries of intermediate levels allow everything (present, write, user for user
// addresses); the leaf decides. The caller holds the lock of the address space (or, for the
// kernel's map, the kernel space lock). Every table page is a Frame; user leaves hold one
// reference of the frame they map, unless it is not RAM.
#pragma once
#include <cstdint>
#include <optional>

#include "kernel/arch/paging.h"
#include "kernel/base/result.h"
#include "kernel/mm/frame.h"
#include "kernel/mm/tlb.h"

// What a mapping allows; combined with |. Reading always is.
enum PageFlags : uint64_t {
    kPageRead = 0,
    kPageWrite = pte::kWrite,
    kPageUser = pte::kUser,
    kPageGlobal = pte::kGlobal,
    kPageUncached = pte::kCacheDisable | pte::kWriteThrough,
    kPageExecute = 1ull << 62,  // absence sets NX where the CPU has it; never stored
    kPageCow = pte::kSoftware0, // read-only now; the first write gets its own copy
    kPageShared = pte::kSoftware1, // MAP_SHARED: fork shares instead of COW
    kPageNoAccess = pte::kSoftware2, // the leaf stays, but not present
    kPageWriteCombining = 1 << 7,  // 4 KiB pages only: PAT entry 4 (Intel SDM vol. 3, 11.12)
};

struct PageMap {
    PhysAddr root = 0;
};

struct Translation {
    PhysAddr address;   // of the byte asked for
    uint64_t entry;     // the leaf entry as stored
    size_t page_size;   // 4 KiB, 2 MiB or 1 GiB
};

// ---- Lab 2, page_map.cc ----

// An empty user half; the kernel half shares the tables of `kernel` (nullptr: empty too, for
// the kernel's own map). ENOMEM.
Result<void> page_map_create(PageMap& map, const PageMap* kernel);
// Frees all tables of the user half and drops the references of all user leaves. The map is
// active nowhere.
void page_map_destroy(PageMap& map);
// Maps `size` bytes at `address` to physical memory at `physical`, with 2 MiB (or, when
// cpu_features.large_1g, 1 GiB) leaves where alignment and size allow and `allow_large`.
// EINVAL: unaligned, empty, overflowing or not canonical range; EEXIST: something is mapped
// there; ENOMEM. On failure nothing is mapped that was not before. Takes over one reference
// of each user frame (on success only). Tables made on the way may stay, empty.
Result<void> page_map_map(PageMap& map, VirtAddr address, PhysAddr physical, uint64_t size,
                          uint64_t flags, bool allow_large);
// Replaces the leaf of one mapped 4 KiB page (COW, fault upgrades), reporting to `batch` the
// flush and the old frame, if it changes; a new frame's reference is taken over. The page is
// mapped.
void page_map_replace(PageMap& map, VirtAddr address, PhysAddr physical, uint64_t flags,
                      TlbBatch& batch);
// Removes all leaves in [address, address + size); absent ones are skipped. A large leaf only
// partly in the range is split first (ENOMEM possible, nothing removed then). Frames and
// pages go to `batch`; emptied tables are kept.
Result<void> page_map_unmap(PageMap& map, VirtAddr address, uint64_t size, TlbBatch& batch);
// Changes the rights of all used leaves in the range, keeping kPageCow and kPageShared: a
// COW page does not become writable. Splits as unmap does.
Result<void> page_map_protect(PageMap& map, VirtAddr address, uint64_t size, uint64_t flags,
                              TlbBatch& batch);
// Where the CPU would find `address`; nothing for what is absent or kPageNoAccess.
std::optional<Translation> page_map_translate(const PageMap& map, VirtAddr address);
// Calls visit(context, address, entry) for each used 4 KiB leaf in the range, in order;
// the entry may be changed in place. Skips absent tables as a whole.
using LeafVisitor = void (*)(void* context, VirtAddr address, uint64_t& entry);
void page_map_visit(PageMap& map, VirtAddr address, uint64_t size, LeafVisitor visit,
                    void* context);
// The 512 leaf entries of the 2 MiB around `address`, entry 0 first, for loops over many
// pages: nullptr where there is no such table (absent, or a large leaf)...
uint64_t* page_map_find_table(const PageMap& map, VirtAddr address);
// ... or made if it is absent. ENOMEM; EEXIST where a large leaf is.
Result<uint64_t*> page_map_make_table(PageMap& map, VirtAddr address);

inline constexpr size_t kTableEntries = 512;
inline constexpr size_t leaf_index(VirtAddr address) {
    return (address >> kPageShift) % kTableEntries;
}
