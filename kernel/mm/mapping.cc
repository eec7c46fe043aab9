// The mmap family: mmap, munmap, mprotect, madvise, brk. (mremap is remap.cc.)
//
// Every change of a range begins by splitting the regions at its two ends; whatever lies
// between is then whole regions, and neighbours that became equal are merged again. The
// splits are all that can fail for want of memory, and come first, so that a call does all
// of its work or none.
#include <algorithm>

#include "kernel/abi/mman.h"
#include "kernel/base/assert.h"
#include "kernel/mm/address_space.h"
#include "kernel/mm/shared_memory.h"
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
    bool fixed = (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) != 0;
    bool inside = hint <= kUserTop && size <= kUserTop - hint;
    if (fixed) {
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
    Result<void> unmapped = page_map_unmap(page_map, start, end - start, batch);
    tlb_shootdown(*this, batch);
    if (!unmapped.ok()) return unmapped;
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
    Result<void> result = page_map_protect(page_map, address, end - address,
                                           protection_page_flags(protection), batch);
    tlb_shootdown(*this, batch);
    if (!result.ok()) return result;
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
    Result<void> result = page_map_unmap(page_map, address, end - address, batch);
    tlb_shootdown(*this, batch);
    return result;
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
