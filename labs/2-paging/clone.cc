// Lab 2, clone.cc: fork's copy of the pages. Contracts: kernel/mm/address_space.h.
//
// This is the naive version: every private page is copied at once, although most forks are
// followed by an exec that throws the copies away.
//
// Your work (handouts/2-paging.md): copy nothing. Map the parent's frames in the child, the
// private ones read-only with kPageCow in both, and tell the batch about each page that the
// parent loses a right to.
#include "kernel/mm/address_space.h"

namespace {

struct Copying {
    PageMap& child;
    const Region& region;
    int error = 0;
};

// A frame for the child, with a reference for its page table.
Result<Frame*> child_frame(const Region& region, Frame* frame) {
    if (region.shared) {
        frame_ref(frame);
        return frame;
    }
    Frame* copy = TRY(frame_alloc());
    page_copy(frame_data(copy), frame_data(frame));
    return copy;
}

void copy_page(void* context, VirtAddr address, uint64_t& entry) {
    Copying& copying = *static_cast<Copying*>(context);
    if (copying.error != 0) return;
    Result<Frame*> frame =
        child_frame(copying.region, frame_of(entry & pte::kAddressMask));
    if (!frame.ok()) {
        copying.error = frame.error().number();
        return;
    }
    uint64_t flags = protection_page_flags(copying.region.protection);
    if (copying.region.shared) flags |= kPageShared;
    Result<void> mapped = page_map_map(copying.child, address, frame_address(frame.value()),
                                       kPageSize, flags, false);
    if (!mapped.ok()) {
        copying.error = mapped.error().number();
        frame_unref(frame.value());
    }
}

}  // namespace

Result<void> clone_region(AddressSpace& parent, AddressSpace& child, const Region& region,
                          TlbBatch&) {
    Copying copying{.child = child.page_map, .region = region};
    page_map_visit(parent.page_map, region.start, region.end - region.start, copy_page,
                   &copying);
    if (copying.error != 0) return Error(copying.error);
    return {};
}
