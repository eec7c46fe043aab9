// Lab 2, page_map.cc: the page tables of one address space.
//
// A table is a frame of 512 entries of 8 bytes; four levels of them translate a 48-bit
// address, nine bits a level (Intel SDM vol. 3, 4.5, figure 4-8):
//
//     level 4 (PML4)  bits 47..39     an entry covers 512 GiB
//     level 3 (PDPT)  bits 38..30                       1 GiB, may be a leaf
//     level 2 (PD)    bits 29..21                       2 MiB, may be a leaf
//     level 1 (PT)    bits 20..12                       4 KiB, always a leaf
//
// Intermediate entries allow everything, so that the leaf alone decides, and a page's rights
// change by one store. Bit 7 means "leaf" only on levels 3 and 2; on level 1 it is PAT.
//
// Ranges are walked as [start, last] with `last` inclusive: a range may end with the last
// byte of the address space, where start + size is 0.
//
// Invariants: no entry is changed here without its page going to the batch when a TLB may
// hold it (an absent entry is never cached, so mapping needs no flush); an entry is changed
// by one 64-bit store, so that another CPU walking the table sees the old or the new one.
#include "kernel/mm/page_map.h"

#include <algorithm>

namespace {

constexpr int kLevels = 4;
constexpr uint64_t kUserRootEntries = kTableEntries / 2;

constexpr uint64_t page_size_of(int level) { return kPageSize << (9 * (level - 1)); }
constexpr uint64_t index_of(VirtAddr address, int level) {
    return (address / page_size_of(level)) % kTableEntries;
}

uint64_t* table_at(uint64_t entry) {
    return static_cast<uint64_t*>(phys_to_virt(entry & pte::kAddressMask));
}
bool is_leaf(uint64_t entry, int level) { return level == 1 || (entry & pte::kLarge) != 0; }
bool is_kernel_half(VirtAddr address) { return static_cast<int64_t>(address) < 0; }

// Not empty, aligned, no overflow, canonical, and all in one half.
bool is_valid_range(VirtAddr start, uint64_t size) {
    VirtAddr last = start + size - 1;
    return size != 0 && is_aligned(start | size, kPageSize) && last >= start &&
           is_canonical(start) && is_canonical(last) &&
           is_kernel_half(start) == is_kernel_half(last);
}

// The bits that stand for rights, and their values for `flags`.
constexpr uint64_t kRightsMask =
    pte::kPresent | pte::kWrite | pte::kUser | pte::kNoExecute | kPageNoAccess;
uint64_t rights(uint64_t flags) {
    uint64_t bits = flags & (kPageWrite | kPageUser | kPageNoAccess);
    if ((flags & kPageNoAccess) == 0) bits |= pte::kPresent;
    if ((flags & kPageExecute) == 0 && cpu_features.nx) bits |= pte::kNoExecute;
    return bits;
}

uint64_t leaf_entry(PhysAddr physical, uint64_t flags, int level) {
    constexpr uint64_t kKept =
        kPageGlobal | kPageUncached | kPageCow | kPageShared | kPageWriteCombining;
    uint64_t entry = physical | (flags & kKept) | rights(flags);
    return level > 1 ? entry | pte::kLarge : entry;
}

uint64_t table_entry(const Frame* table, VirtAddr address) {
    uint64_t entry = frame_address(table) | pte::kPresent | pte::kWrite;
    return is_kernel_half(address) ? entry : entry | pte::kUser;
}

// The index of the first used entry in [i, last], or last + 1. Sparse tables are the rule,
// so absent entries go by eight at a time.
uint64_t skip_absent(const uint64_t* table, uint64_t i, uint64_t last) {
    while (i <= last && table[i] == 0) {
        ++i;
        while (i % 8 == 0 && i + 7 <= last) {
            const uint64_t* e = &table[i];
            if ((e[0] | e[1] | e[2] | e[3] | e[4] | e[5] | e[6] | e[7]) != 0) break;
            i += 8;
        }
    }
    return i;
}

// Calls action(address, entry, level) for every used leaf that overlaps [start, last].
template <int kLevel, typename Action>
void walk_leaves(uint64_t* table, VirtAddr start, VirtAddr last, Action& action) {
    constexpr uint64_t kSize = page_size_of(kLevel);
    VirtAddr table_base = round_down(start, kSize * kTableEntries);
    uint64_t last_index = index_of(last, kLevel);
    for (uint64_t i = skip_absent(table, index_of(start, kLevel), last_index);
         i <= last_index; i = skip_absent(table, i + 1, last_index)) {
        VirtAddr base = table_base + i * kSize;
        if constexpr (kLevel > 1) {
            if (!is_leaf(table[i], kLevel)) {
                walk_leaves<kLevel - 1>(table_at(table[i]), std::max(start, base),
                                        std::min(last, base + kSize - 1), action);
                continue;
            }
        }
        action(base, table[i], kLevel);
    }
}

template <typename Action>
void for_each_leaf(const PageMap& map, VirtAddr start, uint64_t size, Action action) {
    walk_leaves<kLevels>(table_at(map.root), start, start + size - 1, action);
}

// Calls action(frame) for each frame of RAM that the leaf maps.
template <typename Action>
void for_each_frame(uint64_t entry, int level, Action action) {
    PhysAddr physical = entry & pte::kAddressMask & ~(page_size_of(level) - 1);
    for (uint64_t offset = 0; offset < page_size_of(level); offset += kPageSize)
        if (Frame* frame = frame_of(physical + offset)) action(frame);
}

// The table below `entry`, made when there is none. EEXIST when the entry is a leaf.
Result<uint64_t*> descend(uint64_t& entry, VirtAddr address, int level) {
    if (entry == 0)
        entry = table_entry(TRY(frame_alloc_zeroed()), address);
    else if (is_leaf(entry, level))
        return Error(EEXIST);
    return table_at(entry);
}

// Replaces a large leaf by a table of 512 leaves that mean the same.
Result<void> split(uint64_t& entry, VirtAddr address, int level) {
    Frame* table = TRY(frame_alloc());
    uint64_t step = page_size_of(level - 1);
    uint64_t piece = level - 1 == 1 ? entry & ~pte::kLarge : entry;
    uint64_t* entries = static_cast<uint64_t*>(frame_data(table));
    for (uint64_t i = 0; i < kTableEntries; ++i) entries[i] = piece + i * step;
    entry = table_entry(table, address);
    return {};
}

// Splits until no leaf has `address` inside: a leaf may begin there or not be there.
Result<void> split_at(PageMap& map, VirtAddr address) {
    uint64_t* table = table_at(map.root);
    for (int level = kLevels; level > 1; --level) {
        uint64_t& entry = table[index_of(address, level)];
        if (entry == 0 || is_aligned(address, page_size_of(level))) return {};
        if (is_leaf(entry, level)) TRY(split(entry, address, level));
        table = table_at(entry);
    }
    return {};
}

// No leaf lies partly in the range afterwards.
Result<void> split_ends(PageMap& map, VirtAddr address, uint64_t size) {
    TRY(split_at(map, address));
    return split_at(map, address + size);
}

// Maps one leaf, as large as it may be, and returns its size.
Result<uint64_t> map_leaf(PageMap& map, VirtAddr address, PhysAddr physical, uint64_t size,
                          uint64_t flags, bool allow_large) {
    uint64_t* table = table_at(map.root);
    for (int level = kLevels;; --level) {
        uint64_t& entry = table[index_of(address, level)];
        uint64_t page = page_size_of(level);
        bool large = allow_large && (level == 2 || (level == 3 && cpu_features.large_1g));
        if (level == 1 || (large && entry == 0 && size >= page &&
                           is_aligned(address | physical, page))) {
            if (entry != 0) return Error(EEXIST);
            entry = leaf_entry(physical, flags, level);
            return page;
        }
        table = TRY(descend(entry, address, level));
    }
}

template <int kLevel>
void free_table(uint64_t* table, uint64_t entries) {
    for (uint64_t i = skip_absent(table, 0, entries - 1); i < entries;
         i = skip_absent(table, i + 1, entries - 1)) {
        if constexpr (kLevel > 1) {
            if (!is_leaf(table[i], kLevel)) {
                free_table<kLevel - 1>(table_at(table[i]), kTableEntries);
                frame_unref(frame_of(table[i] & pte::kAddressMask));
                continue;
            }
        }
        for_each_frame(table[i], kLevel, [](Frame* frame) { frame_unref(frame); });
    }
}

}  // namespace

Result<void> page_map_create(PageMap& map, const PageMap* kernel) {
    Frame* root = TRY(frame_alloc_zeroed());
    map.root = frame_address(root);
    if (kernel != nullptr)
        std::copy_n(table_at(kernel->root) + kUserRootEntries, kUserRootEntries,
                    table_at(map.root) + kUserRootEntries);
    return {};
}

void page_map_destroy(PageMap& map) {
    free_table<kLevels>(table_at(map.root), kUserRootEntries);
    frame_unref(frame_of(map.root));
    map.root = 0;
}

Result<void> page_map_map(PageMap& map, VirtAddr address, PhysAddr physical, uint64_t size,
                          uint64_t flags, bool allow_large) {
    if (!is_valid_range(address, size) || !is_aligned(physical, kPageSize) ||
        physical > pte::kAddressMask || size > pte::kAddressMask - physical + kPageSize)
        return Error(EINVAL);
    uint64_t done = 0;
    while (done < size) {
        Result<uint64_t> step =
            map_leaf(map, address + done, physical + done, size - done, flags, allow_large);
        if (!step.ok()) [[unlikely]] {
            // The entries before are ours and no CPU has used them: forget them.
            if (done != 0)
                for_each_leaf(map, address, done,
                              [](VirtAddr, uint64_t& entry, int) { entry = 0; });
            return step.error();
        }
        done += step.value();
    }
    return {};
}

void page_map_replace(PageMap& map, VirtAddr address, PhysAddr physical, uint64_t flags,
                      TlbBatch& batch) {
    uint64_t* table = page_map_find_table(map, address);
    ASSERT(table != nullptr && table[leaf_index(address)] != 0);
    uint64_t wanted = leaf_entry(physical, flags, 1);
    uint64_t old = std::exchange(table[leaf_index(address)], wanted);
    if (old == wanted) return;
    batch.add_page(address);
    if ((old & pte::kAddressMask) != physical)
        for_each_frame(old, 1, [&](Frame* frame) { batch.free_after(frame); });
}

Result<void> page_map_unmap(PageMap& map, VirtAddr address, uint64_t size, TlbBatch& batch) {
    if (!is_valid_range(address, size)) return Error(EINVAL);
    TRY(split_ends(map, address, size));
    for_each_leaf(map, address, size, [&](VirtAddr base, uint64_t& entry, int level) {
        uint64_t old = entry;
        entry = 0;
        batch.add_page(base);
        for_each_frame(old, level, [&](Frame* frame) { batch.free_after(frame); });
    });
    return {};
}

Result<void> page_map_protect(PageMap& map, VirtAddr address, uint64_t size, uint64_t flags,
                              TlbBatch& batch) {
    if (!is_valid_range(address, size)) return Error(EINVAL);
    TRY(split_ends(map, address, size));
    for_each_leaf(map, address, size, [&](VirtAddr base, uint64_t& entry, int) {
        uint64_t wanted = (entry & ~kRightsMask) | rights(flags);
        if ((entry & kPageCow) != 0) wanted &= ~pte::kWrite;
        if (wanted == entry) return;
        entry = wanted;
        batch.add_page(base);
    });
    return {};
}

std::optional<Translation> page_map_translate(const PageMap& map, VirtAddr address) {
    if (!is_canonical(address)) return std::nullopt;
    const uint64_t* table = table_at(map.root);
    for (int level = kLevels;; --level) {
        uint64_t entry = table[index_of(address, level)];
        if ((entry & pte::kPresent) == 0) return std::nullopt;
        if (is_leaf(entry, level)) {
            uint64_t inside = page_size_of(level) - 1;
            PhysAddr base = entry & pte::kAddressMask & ~inside;
            return Translation{base | (address & inside), entry, page_size_of(level)};
        }
        table = table_at(entry);
    }
}

void page_map_visit(PageMap& map, VirtAddr address, uint64_t size, LeafVisitor visit,
                    void* context) {
    if (size == 0) return;
    for_each_leaf(map, address, size, [=](VirtAddr base, uint64_t& entry, int level) {
        if (level == 1) visit(context, base, entry);
    });
}

uint64_t* page_map_find_table(const PageMap& map, VirtAddr address) {
    uint64_t* table = table_at(map.root);
    for (int level = kLevels; level > 1; --level) {
        uint64_t entry = table[index_of(address, level)];
        if (entry == 0 || is_leaf(entry, level)) return nullptr;
        table = table_at(entry);
    }
    return table;
}

Result<uint64_t*> page_map_make_table(PageMap& map, VirtAddr address) {
    uint64_t* table = table_at(map.root);
    for (int level = kLevels; level > 1; --level)
        table = TRY(descend(table[index_of(address, level)], address, level));
    return table;
}
