// mremap(2): a mapping shrinks, grows where it is, or moves. Moving takes the leaves along;
// no page is copied, so growing a large array costs eight bytes a page.
#include <algorithm>
#include <utility>

#include "kernel/abi/mman.h"
#include "kernel/mm/address_space.h"
#include "kernel/mm/slab.h"

namespace {

struct Move {
    PageMap& map;
    TlbBatch& batch;
    VirtAddr from, to;
    int error = 0;
};

}  // namespace

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
    tlb_shootdown(*this, batch);
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
