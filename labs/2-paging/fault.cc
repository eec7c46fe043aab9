// Lab 2, fault.cc: makes pages present at the moment they are used. Contracts:
// kernel/mm/address_space.h.
//
// This is the naive version: anonymous pages are zeroed on demand, and every private page of
// a file is copied, even if it is only read. It goes with the naive clone.cc, which copies
// all of the parent's memory.
//
// Your work (handouts/2-paging.md): share a file's page until it is written, and copy on
// write: the leaf has kPageCow, and whoever writes gets a copy, or the right to write when no
// one else has the page any more.
#include "kernel/base/log.h"
#include "kernel/mm/address_space.h"

namespace {

FaultError error_of(Error error) {
    return error.number() == ENOMEM ? FaultError::OutOfMemory : FaultError::PastEnd;
}

// The page that belongs at `address`, with a reference for the page table.
Result<Frame*> make_page(Region& region, VirtAddr address) {
    if (region.source == nullptr) return frame_alloc_zeroed();
    uint64_t index = (region.offset + (address - region.start)) >> kPageShift;
    Frame* page = TRY(region.source->get_page(index));
    if (region.shared) return page;
    Result<Frame*> copy = frame_alloc();
    if (copy.ok()) page_copy(frame_data(copy.value()), frame_data(page));
    frame_unref(page);
    return copy;
}

}  // namespace

FaultError resolve_fault(AddressSpace& space, Region& region, VirtAddr address,
                         Access access) {
    const uint64_t* table = page_map_find_table(space.page_map, address);
    uint64_t entry = table == nullptr ? 0 : table[leaf_index(address)];
    if (entry != 0) {
        if (access == Access::Write && (entry & kPageCow) != 0)
            LAB_TODO(2, "copy on write in resolve_fault", "labs/2-paging/fault.cc");
        return FaultError::None;
    }
    Result<Frame*> page = make_page(region, address);
    if (!page.ok()) return error_of(page.error());
    uint64_t flags = protection_page_flags(region.protection);
    if (region.shared) flags |= kPageShared;
    Result<void> mapped = page_map_map(space.page_map, address, frame_address(page.value()),
                                       kPageSize, flags, false);
    if (mapped.ok()) return FaultError::None;
    frame_unref(page.value());
    return error_of(mapped.error());
}
