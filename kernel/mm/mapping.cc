// The mmap family: mmap, munmap, mprotect, madvise, brk, mremap.
//
// Every change of a range begins by splitting the regions at its two ends; whatever lies
// between is then whole regions, and neighbours that became equal are merged again. The
// splits are all that can fail for want of memory, and come first, so that a call does all
// of its work or none.
#include <algorithm>

#include "kernel/abi/system.h"
#include "kernel/mm/address_space.h"
#include "kernel/mm/page_store.h"
#include "kernel/mm/slab.h"

namespace {

// May `b`, which follows `a`, become a part of it?
bool can_merge(const Region& a, const Region& b) {
    if (a.end != b.start || a.protection != b.protection || a.shared != b.shared ||
        a.grows_down || b.grows_down || a.heap != b.heap || a.source != b.source ||
        a.never_write != b.never_write)
        return false;
    return a.source == nullptr || a.offset + (a.end - a.start) == b.offset;
}

// The end of [address, address + size), rounded up to pages; 0 when the range is empty, does
// not begin on a page, or leaves user space.
VirtAddr range_end(VirtAddr address, uint64_t size) {
    if (!is_aligned(address, kPageSize) || size == 0 || address > kUserTop ||
        size > kUserTop - address)
        return 0;
    return address + round_up(size, kPageSize);
}

struct Move {
    PageMap& map;
    TlbBatch& batch;
    VirtAddr from, to;
    int error = 0;
};

}  // namespace

bool AddressSpace::is_free(VirtAddr start, VirtAddr end) {
    Region* region = first_region_ending_after(start);
    return region == nullptr || region->start >= end;
}

// Do regions cover the range without a hole?
bool AddressSpace::is_covered(VirtAddr start, VirtAddr end) {
    Region* region = find_region(start);
    while (region != nullptr && region->end < end) {
        Region* next = regions.next(region);
        if (next == nullptr || next->start != region->end) return false;
        region = next;
    }
    return region != nullptr;
}

bool AddressSpace::fits_limit(uint64_t more) const {
    return more <= limit_bytes && total_bytes_ <= limit_bytes - more;
}

// The highest free range of `size` bytes below mmap_top; 0 when there is none.
VirtAddr AddressSpace::find_gap(uint64_t size) {
    VirtAddr top = mmap_top;
    for (Region* region = regions.back();; region = regions.prev(region)) {
        VirtAddr floor = region == nullptr ? kUserBottom : region->end;
        if (top > floor && top - floor >= size) return top - size;
        if (region == nullptr) return 0;
        VirtAddr below = region->start;
        if (region->grows_down) below -= std::min(below, kStackGap);
        top = std::min(top, below);
    }
}

Result<VirtAddr> AddressSpace::choose_address(VirtAddr hint, uint64_t size, uint32_t flags,
                                              Dropped& dropped) {
    bool inside = hint <= kUserTop && size <= kUserTop - hint;
    if ((flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) != 0) {
        if (!is_aligned(hint, kPageSize)) return Error(EINVAL);
        if (!inside) return Error(ENOMEM);
        if (hint < kUserBottom) return Error(EPERM);
        if (is_free(hint, hint + size)) return hint;
        if ((flags & MAP_FIXED_NOREPLACE) != 0) return Error(EEXIST);
        TRY(unmap_locked(hint, hint + size, dropped));
        return hint;
    }
    hint = round_down(hint, kPageSize);
    if (hint >= kUserBottom && inside && is_free(hint, hint + size)) return hint;
    VirtAddr gap = find_gap(size);
    if (gap == 0) return Error(ENOMEM);
    return gap;
}

Result<VirtAddr> AddressSpace::map(VirtAddr hint, uint64_t size, uint8_t protection,
                                   uint32_t flags, PageSource* source, uint64_t offset) {
    uint32_t sharing = flags & (MAP_SHARED | MAP_PRIVATE);  // both: MAP_SHARED_VALIDATE
    if (size == 0 || sharing == 0 || !is_aligned(offset, kPageSize)) return Error(EINVAL);
    if (size > kUserTop || offset + size < offset) return Error(ENOMEM);
    size = round_up(size, kPageSize);

    Region* region = TRY(make<Region>());
    Dropped dropped;
    dropped.regions.push_back(region);  // until all has worked out
    region->protection = protection;
    region->shared = (sharing & MAP_SHARED) != 0;
    region->never_write = (flags & kMapNeverWrite) != 0;
    region->offset = source == nullptr ? 0 : offset;
    region->source = source;
    if (source != nullptr) source->source_ref();
    else if (region->shared) region->source = TRY(make_shared_memory(size >> kPageShift));

    VirtAddr start;
    {
        MutexGuard guard(mutex);
        if (!fits_limit(size)) return Error(ENOMEM);
        start = TRY(choose_address(hint, size, flags, dropped));
        region->start = start;
        region->end = start + size;
        dropped.regions.remove(region);
        insert_region(region);
        merge(start, start + size, dropped);
    }
    if ((flags & MAP_POPULATE) != 0)
        populate(start, size, (protection & kProtWrite) != 0 ? Access::Write : Access::Read);
    return start;
}

// ---- Splitting and merging ----

Result<void> AddressSpace::split_region_at(VirtAddr address) {
    Region* region = find_region(address);
    if (region == nullptr || region->start == address) return {};
    Region* upper = TRY(copy_region(*region));
    upper->start = address;
    if (upper->source != nullptr) upper->offset += address - region->start;
    upper->grows_down = false;  // what is below it is no longer free
    total_bytes_ -= region->end - address;
    region->end = address;
    insert_region(upper);
    return {};
}

// Merges what can be, from the region that ends at `start` to the one that begins at `end`.
void AddressSpace::merge(VirtAddr start, VirtAddr end, Dropped& dropped) {
    Region* region = first_region_ending_after(start - 1);
    while (region != nullptr) {
        Region* next = regions.next(region);
        if (next == nullptr || next->start > end) return;
        if (!can_merge(*region, *next)) {
            region = next;
            continue;
        }
        remove_region(next);
        dropped.regions.push_back(next);
        total_bytes_ += next->end - region->end;
        region->end = next->end;
    }
}

// ---- munmap, mprotect, madvise ----

Result<void> AddressSpace::unmap_locked(VirtAddr start, VirtAddr end, Dropped& dropped) {
    if (is_free(start, end)) return {};
    TRY(split_region_at(start));
    TRY(split_region_at(end));
    TlbBatch batch(this);
    TRY(page_map_unmap(page_map, start, end - start, batch));
    Region* region = first_region_ending_after(start);
    while (region != nullptr && region->start < end) {
        Region* next = regions.next(region);
        remove_region(region);
        dropped.regions.push_back(region);
        region = next;
    }
    return {};
}

Result<void> AddressSpace::unmap(VirtAddr address, uint64_t size) {
    VirtAddr end = range_end(address, size);
    if (end == 0) return Error(EINVAL);
    Dropped dropped;
    MutexGuard guard(mutex);
    return unmap_locked(address, end, dropped);
}

Result<void> AddressSpace::protect(VirtAddr address, uint64_t size, uint8_t protection) {
    if (!is_aligned(address, kPageSize)) return Error(EINVAL);
    if (size == 0) return {};
    VirtAddr end = range_end(address, size);
    if (end == 0) return Error(ENOMEM);
    Dropped dropped;
    MutexGuard guard(mutex);
    if (!is_covered(address, end)) return Error(ENOMEM);
    Region* first = find_region(address);
    for (Region* r = first; r != nullptr && r->start < end; r = regions.next(r))
        if (r->never_write && (protection & kProtWrite) != 0) return Error(EACCES);
    TRY(split_region_at(address));
    TRY(split_region_at(end));

    TlbBatch batch(this);
    TRY(page_map_protect(page_map, address, end - address, protection_page_flags(protection),
                         batch));
    first = find_region(address);
    for (Region* r = first; r != nullptr && r->start < end; r = regions.next(r))
        r->protection = protection;
    merge(address, end, dropped);
    return {};
}

Result<void> AddressSpace::advise(VirtAddr address, uint64_t size, int advice) {
    if (!is_aligned(address, kPageSize)) return Error(EINVAL);
    if (advice == MADV_NORMAL || advice == MADV_RANDOM || advice == MADV_SEQUENTIAL ||
        advice == MADV_WILLNEED)
        return {};
    // MADV_FREE allows the contents to go at any time: at once is simplest.
    if (advice != MADV_DONTNEED && advice != MADV_FREE) return Error(EINVAL);
    if (size == 0) return {};
    VirtAddr end = range_end(address, size);
    if (end == 0) return Error(ENOMEM);
    MutexGuard guard(mutex);
    if (!is_covered(address, end)) return Error(ENOMEM);
    TlbBatch batch(this);
    return page_map_unmap(page_map, address, end - address, batch);
}

// ---- brk ----

void AddressSpace::init_break(VirtAddr start) {
    MutexGuard guard(mutex);
    brk_start = brk_end = round_up(start, kPageSize);
}

VirtAddr AddressSpace::set_break(VirtAddr wanted) {
    Dropped dropped;
    MutexGuard guard(mutex);
    if (wanted < brk_start || wanted > kUserTop) return brk_end;
    VirtAddr old_end = round_up(brk_end, kPageSize);
    VirtAddr new_end = round_up(wanted, kPageSize);
    if (new_end < old_end) {
        if (!unmap_locked(new_end, old_end, dropped).ok()) return brk_end;
    } else if (new_end > old_end) {
        // One page stays free above, so that an overflow of the heap is seen.
        if (!is_free(old_end, new_end + kPageSize) || !fits_limit(new_end - old_end))
            return brk_end;
        Result<Region*> heap = make<Region>(Region{.start = old_end,
                                                   .end = new_end,
                                                   .protection = kProtRead | kProtWrite,
                                                   .heap = true});
        if (!heap.ok()) return brk_end;
        insert_region(heap.value());
        merge(old_end, new_end, dropped);
    }
    brk_end = wanted;
    return brk_end;
}

// ---- mremap: a mapping shrinks, grows where it is, or moves ----
// Moving takes the leaves along; no page is copied, so growing a large array costs eight
// bytes a page.

Result<void> AddressSpace::move_pages(VirtAddr from, VirtAddr to, uint64_t size) {
    TlbBatch batch(this);
    Move move{.map = page_map, .batch = batch, .from = from, .to = to};
    // First all tables of the target, so that moving the leaves cannot fail.
    auto make_target_table = [](void* context, VirtAddr address, uint64_t&) {
        Move& move = *static_cast<Move*>(context);
        if (move.error != 0) return;
        Result<uint64_t*> table = page_map_make_table(move.map, address - move.from + move.to);
        if (!table.ok()) move.error = table.error().number();
    };
    page_map_visit(page_map, from, size, make_target_table, &move);
    if (move.error != 0) return Error(move.error);
    auto move_leaf = [](void* context, VirtAddr address, uint64_t& entry) {
        Move& move = *static_cast<Move*>(context);
        VirtAddr target = address - move.from + move.to;
        page_map_find_table(move.map, target)[leaf_index(target)] = std::exchange(entry, 0);
        move.batch.add_page(address);
    };
    page_map_visit(page_map, from, size, move_leaf, &move);
    return {};
}

bool AddressSpace::grow_in_place(Region* region, VirtAddr end, uint64_t more,
                                 Dropped& dropped) {
    if (region->end != end || more > kUserTop - end || !is_free(end, end + more)) return false;
    region->end += more;
    total_bytes_ += more;
    merge(end, end + more, dropped);
    return true;
}

// Moves the first old_size bytes of `region` (its whole, after splits) to where new_size
// bytes are free.
Result<VirtAddr> AddressSpace::move_region(Region* region, uint64_t old_size,
                                           uint64_t new_size, uint32_t flags,
                                           VirtAddr new_address, Dropped& dropped) {
    VirtAddr from = region->start;
    uint32_t fixed = (flags & MREMAP_FIXED) != 0 ? MAP_FIXED : 0;
    Region* moved = TRY(copy_region(*region));
    dropped.regions.push_back(moved);  // until all has worked out
    VirtAddr to = TRY(choose_address(fixed != 0 ? new_address : 0, new_size, fixed, dropped));
    moved->start = to;
    moved->end = to + new_size;
    moved->heap = moved->grows_down = false;
    TRY(move_pages(from, to, std::min(old_size, new_size)));
    dropped.regions.remove(moved);
    remove_region(region);
    dropped.regions.push_back(region);
    insert_region(moved);
    merge(to, to + new_size, dropped);
    return to;
}

Result<VirtAddr> AddressSpace::remap(VirtAddr address, uint64_t old_size, uint64_t new_size,
                                     uint32_t flags, VirtAddr new_address) {
    bool may_move = (flags & MREMAP_MAYMOVE) != 0, fixed = (flags & MREMAP_FIXED) != 0;
    if ((flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED)) != 0 || (fixed && !may_move) ||
        !is_aligned(address, kPageSize) || old_size == 0 || new_size == 0)
        return Error(EINVAL);
    if (address > kUserTop || old_size > kUserTop - address) return Error(EFAULT);
    if (new_size > kUserTop) return Error(ENOMEM);
    old_size = round_up(old_size, kPageSize);
    new_size = round_up(new_size, kPageSize);
    VirtAddr end = address + old_size;
    if (fixed && (new_address > kUserTop || new_size > kUserTop - new_address ||
                  (new_address < end && address < new_address + new_size)))
        return Error(EINVAL);

    Dropped dropped;
    MutexGuard guard(mutex);
    Region* region = find_region(address);
    if (region == nullptr || region->end < end) return Error(EFAULT);
    if (new_size < old_size) {
        TRY(unmap_locked(address + new_size, end, dropped));
        old_size = new_size;
        end = address + old_size;
    }
    uint64_t more = new_size - old_size;
    if (!fits_limit(more)) return Error(ENOMEM);
    if (!fixed) {
        region = find_region(address);
        if (more == 0 || grow_in_place(region, end, more, dropped)) return address;
        if (!may_move) return Error(ENOMEM);
    }
    TRY(split_region_at(address));
    TRY(split_region_at(end));
    return move_region(find_region(address), old_size, new_size, flags, new_address, dropped);
}
