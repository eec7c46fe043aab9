// AddressSpace: its life, its regions, and page faults; and what a change of page tables leaves
// to do (TlbBatch), with the calling CPU's share of it. The mmap family is mapping.cc, the other
// CPUs' share lab 4's shootdown.cc.
//
// Regions stand in a list, sorted by address. A search walks it from where the last one
// ended (finger_): the next fault or call is mostly in the same region or near it.
//
// Invariants: regions are disjoint, page-aligned, not empty, inside user space; a used leaf
// lies in a region and allows at most what the region allows; total_bytes_ is the sum of the
// regions' sizes.
//
// Locks: mutex. Page sources are asked under it (rank PageSource is above), but their
// references are dropped after it (Dropped).
#include "kernel/mm/address_space.h"

#include <algorithm>

#include "kernel/base/ref.h"
#include "kernel/mm/slab.h"

namespace {

// What a fault on a page of a file brings along, aligned around it.
constexpr uint64_t kFaultAround = 16 * kPageSize;

void free_region(Region* region) {
    if (region->source != nullptr) region->source->source_unref();
    destroy(region);
}

// All spaces, a clone behind its parent: it is put there before the parent's mutex is let go,
// so a walk that takes each space's mutex misses no page.
SpinLock all_lock{LockRank::SpaceList};
List<AddressSpace, &AddressSpace::all_link> all_spaces;

void enlist(AddressSpace* space) {
    SpinGuard guard(all_lock);
    all_spaces.push_back(space);
}

bool allows(const Region& region, Access access) {
    if (access == Access::Read) return region.protection != 0;  // x86 can read all the others
    return (region.protection & (access == Access::Write ? kProtWrite : kProtExecute)) != 0;
}

}  // namespace

uint64_t protection_page_flags(uint8_t protection) {
    if (protection == 0) return kPageUser | kPageNoAccess;
    uint64_t flags = kPageUser;
    if ((protection & kProtWrite) != 0) flags |= kPageWrite;
    if ((protection & kProtExecute) != 0) flags |= kPageExecute;
    return flags;
}

uint64_t region_page_flags(const Region& region) {
    uint64_t flags = protection_page_flags(region.protection);
    if (region.shared) return flags | kPageShared;
    if (region.source == nullptr) return flags;
    return (flags & ~kPageWrite) | kPageCow;
}

AddressSpace* current_space() { return static_cast<AddressSpace*>(current_thread()->space); }

// ---- Life ----

Result<AddressSpace*> AddressSpace::create() {
    AddressSpace* space = TRY(create_unlisted());
    enlist(space);
    return space;
}

Result<AddressSpace*> AddressSpace::create_unlisted() {
    Ref<AddressSpace> space(TRY(make<AddressSpace>()));
    TRY(page_map_create(space->page_map, &kernel_map()));
    space->root = space->page_map.root;
    return space.release();
}

AddressSpace::~AddressSpace() {
    if (all_link.linked()) {
        SpinGuard guard(all_lock);
        all_spaces.remove(this);
    }
    while (Region* region = regions.pop_front()) free_region(region);
    if (page_map.root != 0) page_map_destroy(page_map);
}

void AddressSpace::unref() {
    {
        // The last one goes under the lock: forget_pages must not find it and revive it.
        SpinGuard guard(all_lock);
        if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    }
    evict_space(*this);
    destroy(this);
}

AddressSpace::Dropped::~Dropped() {
    while (Region* region = regions.pop_front()) free_region(region);
}

void AddressSpace::clear() {
    Dropped dropped;
    MutexGuard guard(mutex);
    // Nothing to split: whole regions go.
    Result<void> result = unmap_locked(0, kUserTop, dropped);
    ASSERT(result.ok());
    brk_start = brk_end = 0;
}

// The child's mutex is not taken: nobody sees it yet.
Result<AddressSpace*> AddressSpace::clone() NO_THREAD_SAFETY_ANALYSIS {
    Ref<AddressSpace> child(TRY(create_unlisted()));
    MutexGuard guard(mutex);
    static_cast<SpaceLayout&>(*child) = *this;
    TlbBatch batch(this);
    for (const Region& region : regions) {
        child->insert_region(TRY(copy_region(region)));
        TRY(clone_region(*this, *child, region, batch));
    }
    enlist(child.get());
    return child.release();
}

// ---- Regions ----

Result<Region*> AddressSpace::copy_region(const Region& region) {
    Region* copy = TRY(make<Region>(region));
    copy->link = {};
    if (copy->source != nullptr) copy->source->source_ref();
    return copy;
}

void AddressSpace::insert_region(Region* region) {
    regions.insert_before(first_region_ending_after(region->start), region);
    finger_ = region;
    total_bytes_ += region->end - region->start;
}

void AddressSpace::remove_region(Region* region) {
    if (finger_ == region) finger_ = regions.prev(region);
    regions.remove(region);
    total_bytes_ -= region->end - region->start;
}

Region* AddressSpace::first_region_ending_after(VirtAddr address) {
    Region* region = finger_ != nullptr ? finger_ : regions.front();
    if (region == nullptr) return nullptr;
    Region* before = regions.prev(region);
    while (before != nullptr && before->end > address) {
        region = before;
        before = regions.prev(region);
    }
    while (region != nullptr && region->end <= address) region = regions.next(region);
    if (region != nullptr) finger_ = region;
    return region;
}

Region* AddressSpace::find_region(VirtAddr address) {
    Region* region = first_region_ending_after(address);
    return region != nullptr && region->start <= address ? region : nullptr;
}

// Extends the stack above `address` down to it, if there is one that may grow so far.
Region* AddressSpace::grow_stack(VirtAddr address) {
    Region* stack = first_region_ending_after(address);
    VirtAddr start = round_down(address, kPageSize);
    if (stack == nullptr || !stack->grows_down || start < stack->growth_limit) return nullptr;
    Region* below = regions.prev(stack);
    if (below != nullptr && start - below->end < kStackGap) return nullptr;
    uint64_t more = stack->start - start;
    if (!fits_limit(more)) return nullptr;
    stack->start = start;
    total_bytes_ += more;
    return stack;
}

Result<void> AddressSpace::map_stack(VirtAddr top, uint64_t size, uint64_t limit) {
    constexpr uint64_t kMaxLimit = 1ull << 30;
    limit = round_up(std::clamp(limit, size, kMaxLimit), kPageSize);
    Region* stack = TRY(make<Region>(Region{.start = top - round_up(size, kPageSize),
                                            .end = top,
                                            .protection = kProtRead | kProtWrite,
                                            .grows_down = true,
                                            .growth_limit = top - limit}));
    MutexGuard guard(mutex);
    if (!is_free(stack->growth_limit, top)) {
        destroy(stack);
        return Error(EEXIST);
    }
    insert_region(stack);
    mmap_top = stack->growth_limit - kStackGap;
    return {};
}

void AddressSpace::unmap_source(const PageSource& source, uint64_t first) {
    TlbBatch batch(this);
    for (const Region& region : regions) {
        uint64_t skipped = (first << kPageShift) - std::min(first << kPageShift, region.offset);
        if (region.source != &source || skipped >= region.end - region.start) continue;
        VirtAddr start = region.start + skipped;
        // Pages of files are never large, so there is nothing to split and it cannot fail.
        (void)page_map_unmap(page_map, start, region.end - start, batch);
    }
}

void AddressSpace::forget_pages(const PageSource& source, uint64_t first) {
    AddressSpace* space = nullptr;
    for (;;) {
        AddressSpace* last = space;  // our reference keeps its place in the list
        {
            SpinGuard guard(all_lock);
            space = last == nullptr ? all_spaces.front() : all_spaces.next(last);
            // One without references is on its way out.
            while (space != nullptr && space->references_.load() == 0)
                space = all_spaces.next(space);
            if (space != nullptr) space->ref();
        }
        if (last != nullptr) last->unref();
        if (space == nullptr) return;
        MutexGuard guard(space->mutex);
        space->unmap_source(source, first);
    }
}

uint64_t AddressSpace::total_pages() {
    MutexGuard guard(mutex);
    return total_bytes_ >> kPageShift;
}

uint64_t AddressSpace::resident_pages() {
    uint64_t count = 0;
    MutexGuard guard(mutex);
    page_map_visit(
        page_map, 0, kUserTop,
        [](void* context, VirtAddr, uint64_t&) { ++*static_cast<uint64_t*>(context); }, &count);
    return count;
}

// ---- Faults ----

FaultError AddressSpace::handle_fault(VirtAddr address, Access access) {
    MutexGuard guard(mutex);
    Region* region = find_region(address);
    if (region == nullptr) region = grow_stack(address);
    if (region == nullptr) return FaultError::NoRegion;
    if (!allows(*region, access)) return FaultError::Protection;
    VirtAddr page = round_down(address, kPageSize);
    FaultError error = resolve_fault(*this, *region, page, access);
    if (error == FaultError::None && region->source != nullptr && access != Access::Write) {
        VirtAddr around = round_down(page, kFaultAround);
        populate_resident(*region, std::max(around, region->start),
                          std::min(around + kFaultAround, region->end));
    }
    return error;
}

// Maps what the region's source has of [start, end) and is not mapped yet.
void AddressSpace::populate_resident(Region& region, VirtAddr start, VirtAddr end) {
    uint64_t flags = region_page_flags(region);
    for (VirtAddr page = start; page < end; page += kPageSize) {
        const uint64_t* table = page_map_find_table(page_map, page);
        if (table != nullptr && table[leaf_index(page)] != 0) continue;
        uint64_t index = (region.offset + (page - region.start)) >> kPageShift;
        Frame* frame = region.source->find_page(index);
        if (frame == nullptr) continue;
        if (page_map_map(page_map, page, frame_address(frame), kPageSize, flags, false).ok())
            continue;
        return frame_unref(frame);
    }
}

void AddressSpace::populate(VirtAddr address, uint64_t size, Access access) {
    if (size > kUserTop || address > kUserTop - size) return;
    VirtAddr end = round_up(address + size, kPageSize);
    MutexGuard guard(mutex);
    for (Region* region = first_region_ending_after(address);
         region != nullptr && region->start < end; region = regions.next(region)) {
        if (!allows(*region, access)) continue;
        VirtAddr from = std::max(region->start, round_down(address, kPageSize));
        VirtAddr to = std::min(region->end, end);
        if (region->source != nullptr && (region->shared || access != Access::Write)) {
            populate_resident(*region, from, to);
            continue;
        }
        for (VirtAddr page = from; page < to; page += kPageSize)
            if (resolve_fault(*this, *region, page, access) != FaultError::None) return;
    }
}

// ---- TlbBatch ----

TlbBatch::~TlbBatch() {
    if (page_count_ != 0 || shared_count_ != 0 || !frames_.empty()) flush();
}

void TlbBatch::free_after(Frame* frame) {
    // The only reference is the one that was in the page tables: nobody else can find the
    // frame, so its link is free for us.
    if (frame->references.load(std::memory_order_acquire) == 1) {
        frames_.push_back(frame);
        return;
    }
    if (shared_count_ == kMaxShared) flush();
    shared_[shared_count_++] = frame;
}

void TlbBatch::flush() {
    if (space_ != nullptr) tlb_shootdown(*space_, *this);
    else tlb_shootdown_kernel(*this);
}

void TlbBatch::finish() {
    while (Frame* frame = frames_.pop_front()) frame_unref(frame);
    for (uint32_t i = 0; i < shared_count_; ++i) frame_unref(shared_[i]);
    page_count_ = shared_count_ = 0;
    kernel_pages_ = false;
}

void tlb_flush_local(const TlbBatch& batch) {
    constexpr uint64_t kCr4Pge = 1 << 7;  // global pages enabled (Intel SDM vol. 3, 2.5)
    if (!batch.everything()) {
        for (uint32_t i = 0; i < batch.page_count(); ++i) x86::invlpg(batch.page(i));
        count_event(Event::TlbPageFlushes, batch.page_count());
        return;
    }
    uint64_t cr4 = x86::read_cr4();
    if (batch.has_kernel_pages() && (cr4 & kCr4Pge) != 0) {
        x86::write_cr4(cr4 & ~kCr4Pge);
        x86::write_cr4(cr4);
    } else {
        x86::write_cr3(x86::read_cr3());
        count_event(Event::Cr3Loads);
    }
}
