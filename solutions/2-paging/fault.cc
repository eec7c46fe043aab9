// Lab 2, fault.cc: makes pages present at the moment they are used.
//
// Four cases, told apart by what the region is and what the leaf says:
//
//     leaf absent, anonymous         a frame of zeros
//     leaf absent, from a source     its page, shared; or a copy, for a private write
//     leaf read-only and kPageCow    copy on write
//     leaf fine                      another thread was here first: nothing to do
//
// Copy on write: fork and private file mappings let several page tables map one frame, all
// read-only. The first to write gets a copy; the last one left, whose reference is the only
// one, just gets its write right back. The count can be trusted: only a holder could raise
// it, and the only holder is this page table, whose lock we have. A source holds a reference
// of its pages, so a file's page is never taken over.
//
// The old frame is dropped by the batch, after the flush: until then other threads of this
// process may read it through their TLBs.
#include "kernel/mm/address_space.h"

namespace {

FaultError error_of(Error error) {
    return error.number() == ENOMEM ? FaultError::OutOfMemory : FaultError::PastEnd;
}

// Maps `frame` and takes over its reference.
FaultError map_frame(AddressSpace& space, VirtAddr address, Frame* frame, uint64_t flags) {
    Result<void> mapped = page_map_map(space.page_map, address, frame_address(frame),
                                       kPageSize, flags, false);
    if (mapped.ok()) return FaultError::None;
    frame_unref(frame);
    return error_of(mapped.error());
}

FaultError map_zeros(AddressSpace& space, Region& region, VirtAddr address) {
    Result<Frame*> frame = frame_alloc_zeroed();
    if (!frame.ok()) return FaultError::OutOfMemory;
    return map_frame(space, address, frame.value(), region_page_flags(region));
}

// A frame of our own with the contents of `source`.
Result<Frame*> copy_of(const Frame* source) {
    Frame* frame = TRY(frame_alloc());
    page_copy(frame_data(frame), frame_data(source));
    count_event(Event::CowCopies);
    return frame;
}

FaultError map_from_source(AddressSpace& space, Region& region, VirtAddr address,
                           Access access) {
    uint64_t index = (region.offset + (address - region.start)) >> kPageShift;
    Result<Frame*> page = region.source->get_page(index);
    if (!page.ok()) return error_of(page.error());
    if (region.shared || access != Access::Write)
        return map_frame(space, address, page.value(), region_page_flags(region));

    // A private write: copy at once instead of faulting a second time.
    Result<Frame*> own = copy_of(page.value());
    frame_unref(page.value());
    if (!own.ok()) return FaultError::OutOfMemory;
    return map_frame(space, address, own.value(), protection_page_flags(region.protection));
}

FaultError make_writable(AddressSpace& space, Region& region, VirtAddr address,
                         uint64_t entry) REQUIRES(space.mutex) {
    PhysAddr physical = entry & pte::kAddressMask;
    uint64_t flags = protection_page_flags(region.protection) | (entry & kPageShared);
    Frame* frame = frame_of(physical);
    bool must_copy = (entry & kPageCow) != 0 && frame != nullptr &&
                     frame->references.load(std::memory_order_acquire) > 1;
    if (must_copy) {
        Result<Frame*> own = copy_of(frame);
        if (!own.ok()) return FaultError::OutOfMemory;
        physical = frame_address(own.value());
    }
    TlbBatch batch(&space);
    page_map_replace(space.page_map, address, physical, flags, batch);
    tlb_shootdown(space, batch);
    return FaultError::None;
}

}  // namespace

FaultError resolve_fault(AddressSpace& space, Region& region, VirtAddr address,
                         Access access) {
    const uint64_t* table = page_map_find_table(space.page_map, address);
    uint64_t entry = table == nullptr ? 0 : table[leaf_index(address)];
    if (entry == 0) {
        if (region.source == nullptr) return map_zeros(space, region, address);
        return map_from_source(space, region, address, access);
    }
    if (access == Access::Write && (entry & kPageWrite) == 0)
        return make_writable(space, region, address, entry);
    return FaultError::None;
}
