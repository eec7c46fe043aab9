// Lab 2, clone.cc: fork's copy of the pages, which copies none.
//
// Parent and child map the same frames; private ones read-only with kPageCow in both, so
// that the first write of either makes the copy (fault.cc). kPageCow goes also onto pages
// that are read-only anyway: mprotect may allow writing later, and keeps the bit.
//
// The walk goes through the parent's tables as they are, absent ones are skipped as a whole,
// and the child's table is looked up once in 2 MiB. Pages that the parent could write go to
// the batch: its TLBs still allow it until the caller flushes, once for all regions.
#include "kernel/mm/address_space.h"

namespace {

struct Sharing {
    PageMap& child;
    TlbBatch& batch;
    bool shared;                // MAP_SHARED: writes stay allowed
    uint64_t* table = nullptr;  // the child's, for the 2 MiB at table_base
    VirtAddr table_base = 0;
    int error = 0;
};

// The child's entry for `address`; nullptr when memory is out.
uint64_t* child_entry(Sharing& sharing, VirtAddr address) {
    VirtAddr base = round_down(address, kLargePageSize);
    if (sharing.table == nullptr || sharing.table_base != base) {
        Result<uint64_t*> table = page_map_make_table(sharing.child, address);
        if (!table.ok()) {
            sharing.error = table.error().number();
            return nullptr;
        }
        sharing.table = table.value();
        sharing.table_base = base;
    }
    return &sharing.table[leaf_index(address)];
}

void share_page(void* context, VirtAddr address, uint64_t& entry) {
    Sharing& sharing = *static_cast<Sharing*>(context);
    if (sharing.error != 0) return;
    uint64_t* copy = child_entry(sharing, address);
    if (copy == nullptr) return;
    if (!sharing.shared) {
        bool was_writable = (entry & kPageWrite) != 0;
        entry = (entry & ~kPageWrite) | kPageCow;
        if (was_writable) sharing.batch.add_page(address);
    }
    if (Frame* frame = frame_of(entry & pte::kAddressMask)) frame_ref(frame);
    *copy = entry;
}

}  // namespace

Result<void> clone_region(AddressSpace& parent, AddressSpace& child, const Region& region,
                          TlbBatch& batch) {
    Sharing sharing{.child = child.page_map, .batch = batch, .shared = region.shared};
    page_map_visit(parent.page_map, region.start, region.end - region.start, share_page,
                   &sharing);
    if (sharing.error != 0) return Error(sharing.error);
    return {};
}
