// The kernel's half of every address space, and the vmap area in it.
//
//     0xffff800000000000  direct map: RAM, RW, NX, large pages
//     0xffffc90000000000  vmap: 8 GiB of pages handed out by a bitmap, also for MMIO windows
//     0xffffffff80000000  image: text RX, rodata and symbols R, data RW + NX
//
// All root entries that these can ever need exist from the start, with empty tables below:
// an address space copies the upper 256 root entries when it is made and never again, so a
// root entry that appeared later would be missing in older ones.
//
// Locks: space_lock (rank KernelSpace) guards the kernel's page map and the vmap bitmap. A
// shootdown waits for other CPUs, so it happens without the lock, between taking the pages
// out and giving the addresses back.
#include "kernel/mm/page_map.h"

#include <algorithm>
#include <iterator>

#include "kernel/base/memory_check.h"

namespace {

constexpr uint64_t kVmapPages = (8ull << 30) >> kPageShift;
constexpr uint64_t kRootEntrySize = 512ull << 30;
// Freed vmap pages wait for a common flush until there are this many.
constexpr uint64_t kLazyPages = 256;

constexpr uint64_t kStackPages = kKernelStackSize / kPageSize;
constexpr uint64_t kDataFlags = kPageWrite | kPageGlobal;

SpinLock space_lock{LockRank::KernelSpace};
PageMap the_map;

// ---- Building the map ----

// Makes the root entries for [start, last], with empty tables.
void make_root_entries(VirtAddr start, VirtAddr last) {
    auto* root = static_cast<uint64_t*>(phys_to_virt(the_map.root));
    for (uint64_t i = start / kRootEntrySize % 512; i <= last / kRootEntrySize % 512; ++i) {
        if (root[i] != 0) continue;
        Result<Frame*> table = frame_alloc_zeroed();
        if (!table.ok()) panic("no memory for the kernel's page tables");
        root[i] = frame_address(table.value()) | pte::kPresent | pte::kWrite;
    }
}

void must_map(VirtAddr address, PhysAddr physical, uint64_t size, uint64_t flags) {
    Result<void> mapped = page_map_map(the_map, address, physical, size, flags, true);
    if (!mapped.ok())
        panic("cannot map kernel memory at %lx: error %d", address, mapped.error().number());
}

void map_image_part(const char* start, const char* end, uint64_t flags) {
    if (start == end) return;
    must_map(reinterpret_cast<VirtAddr>(start), image_to_phys(start), end - start,
             flags | kPageGlobal);
}

void map_direct() {
    // The BIOS area has the page where other CPUs start. What the firmware calls RAM comes in
    // any order and may overlap.
    MemoryRange ranges[kMaxMemoryRanges + 1] = {{0, 1 << 20, MemoryType::Reserved}};
    size_t count = 1;
    for (const MemoryRange& range : std::span(boot_info.memory, boot_info.memory_count)) {
        if (range.type != MemoryType::Available || range.start >= range.end) continue;
        ranges[count++] = {round_down(range.start, kPageSize), round_up(range.end, kPageSize),
                           range.type};
    }
    std::sort(ranges, ranges + count,
              [](const MemoryRange& a, const MemoryRange& b) { return a.start < b.start; });
    for (size_t i = 0; i < count;) {
        PhysAddr start = ranges[i].start, end = ranges[i].end;
        for (++i; i < count && ranges[i].start <= end; ++i) end = std::max(end, ranges[i].end);
        make_root_entries(kDirectMap + start, kDirectMap + end - 1);
        must_map(kDirectMap + start, start, end - start, kDataFlags);
    }
}

// ---- The vmap area ----

// One bit a page, 1: taken. Page 0 stays taken: it is the guard before the first run.
uint64_t taken[kVmapPages / 64] GUARDED_BY(space_lock) = {1};
uint64_t next_page GUARDED_BY(space_lock) = 1;  // where the search goes on

// Freed runs that are still mapped, linked through their own first bytes. Who asks for as
// many pages gets one as it is: a fork and an exit a millisecond later (kernel stacks)
// should not cost page-table work and a TLB flush on all CPUs.
struct FreedRun {
    FreedRun* next;
    uint64_t pages;
};
FreedRun* freed_runs GUARDED_BY(space_lock) = nullptr;
uint64_t freed_pages GUARDED_BY(space_lock) = 0;

VirtAddr page_at(uint64_t page) { return kVmapBase + page * kPageSize; }
uint64_t page_number(VirtAddr address) { return (address - kVmapBase) >> kPageShift; }

void mark(uint64_t page, uint64_t count, bool value) REQUIRES(space_lock) {
    for (uint64_t i = page; i < page + count; ++i) {
        uint64_t bit = 1ull << (i % 64);
        taken[i / 64] = value ? taken[i / 64] | bit : taken[i / 64] & ~bit;
    }
}

// The first of `count` free pages in [from, to), or 0.
uint64_t find_free(uint64_t count, uint64_t from, uint64_t to) REQUIRES(space_lock) {
    uint64_t run = 0;
    for (uint64_t i = from; i < to; ++i) {
        if (i % 64 == 0 && taken[i / 64] == ~0ull) {
            run = 0;
            i += 63;
            continue;
        }
        run = (taken[i / 64] >> (i % 64) & 1) != 0 ? 0 : run + 1;
        if (run == count) return i + 1 - count;
    }
    return 0;
}

// Takes `pages` pages and the guard after them; the guard before is the previous run's.
uint64_t take_pages(uint64_t pages) {
    SpinGuard guard(space_lock);
    uint64_t first = find_free(pages + 1, next_page, kVmapPages);
    if (first == 0) first = find_free(pages + 1, 1, kVmapPages);
    if (first == 0) return 0;
    mark(first, pages + 1, true);
    next_page = first + pages + 1;
    return first;
}

void give_pages(uint64_t first, uint64_t pages) {
    SpinGuard guard(space_lock);
    mark(first, pages + 1, false);
}

// Takes the mapped pages of a run out of the kernel's map.
void unmap(uint64_t first, uint64_t pages, TlbBatch& batch) REQUIRES(space_lock) {
    if (pages == 0) return;
    Result<void> result = page_map_unmap(the_map, page_at(first), pages * kPageSize, batch);
    ASSERT(result.ok());
}

// Takes a freed run of `pages` pages off the list, or if that is 0 any; nullptr: none.
FreedRun* take_freed(uint64_t pages) REQUIRES(space_lock) {
    FreedRun** at = &freed_runs;
    while (*at != nullptr && pages != 0 && (*at)->pages != pages) at = &(*at)->next;
    FreedRun* run = *at;
    if (run == nullptr) return nullptr;
    *at = run->next;
    freed_pages -= run->pages;
    memory_allow(run, run->pages * kPageSize);
    return run;
}

// Maps a fresh frame at `address`.
Result<void> map_fresh(VirtAddr address) {
    Frame* frame = TRY(frame_alloc());
    SpinGuard guard(space_lock);
    Result<void> mapped =
        page_map_map(the_map, address, frame_address(frame), kPageSize, kDataFlags, false);
    if (!mapped.ok()) frame_unref(frame);
    return mapped;
}

}  // namespace

PageMap& kernel_map() { return the_map; }
PhysAddr kernel_root() { return the_map.root; }

void kernel_space_init() {
    if (!page_map_create(the_map, nullptr).ok()) panic("no memory for the kernel's page map");
    make_root_entries(kVmapBase, kVmapBase + kVmapPages * kPageSize - 1);
    make_root_entries(kKernelBase, ~0ull);
    map_image_part(kernel_text_start, kernel_text_end, kPageExecute);
    map_image_part(kernel_rodata_start, kernel_rodata_end, kPageRead);
    map_image_part(kernel_data_start, kernel_data_end, kPageWrite);
    map_image_part(kernel_symbols_start, kernel_symbols_end, kPageRead);
    map_direct();

    // W^X holds for every alias: what is not writable in the image is not writable in the
    // direct map either. And the page below the boot stack (a boot page table, no longer in
    // use once ours are loaded) becomes its guard. Our map is active nowhere: no flush.
    TlbBatch batch;
    PhysAddr constant = image_to_phys(kernel_text_start);
    VirtAddr guard = reinterpret_cast<VirtAddr>(boot_stack_top) - kBootStackSize - kPageSize;
    Result<void> result =
        page_map_protect(the_map, kDirectMap + constant,
                         image_to_phys(kernel_rodata_end) - constant, kPageRead, batch);
    if (result.ok()) result = page_map_unmap(the_map, guard, kPageSize, batch);
    if (!result.ok()) panic("no memory for the kernel's page map");
    batch.finish();

    x86::write_cr3(the_map.root);
    this_cpu().active_page_map = the_map.root;
}

void* map_mmio(PhysAddr address, size_t bytes, bool write_combining) {
    PhysAddr start = round_down(address, kPageSize);
    uint64_t size = round_up(address + bytes, kPageSize) - start;
    uint64_t flags = kDataFlags | (write_combining ? kPageWriteCombining : kPageUncached);
    uint64_t first = take_pages(size >> kPageShift);
    SpinGuard guard(space_lock);
    if (first == 0 || !page_map_map(the_map, page_at(first), start, size, flags, false).ok())
        panic("cannot map device %lx", address);
    return reinterpret_cast<void*>(page_at(first) + (address - start));
}

Result<void*> vmap_alloc(size_t pages) {
    if (pages == 0 || pages > kVmapPages / 2) return Error(ENOMEM);
    {
        SpinGuard guard(space_lock);
        if (FreedRun* run = take_freed(pages)) return run;
    }
    uint64_t first = take_pages(pages);
    if (first == 0) return Error(ENOMEM);
    for (uint64_t i = 0; i < pages; ++i) {
        Result<void> mapped = map_fresh(page_at(first + i));
        if (mapped.ok()) continue;
        TlbBatch batch;  // no TLB knows these pages: no one has touched them
        {
            SpinGuard guard(space_lock);
            unmap(first, i, batch);
        }
        batch.finish();
        give_pages(first, pages);
        return mapped.error();
    }
    return reinterpret_cast<void*>(page_at(first));
}

void vmap_free(void* address, size_t pages) {
    bool flush;
    {
        SpinGuard guard(space_lock);
        auto* run = static_cast<FreedRun*>(address);
        *run = {freed_runs, pages};
        freed_runs = run;
        freed_pages += pages;
        // Its first page holds the record.
        memory_forbid(reinterpret_cast<char*>(run) + kPageSize, (pages - 1) * kPageSize,
                      Forbidden::FreedRun);
        flush = freed_pages >= kLazyPages;
    }
    // Interrupts off: the caller may hold a spin lock. The next one will do it.
    if (flush && x86::interrupts_enabled()) vmap_reclaim(kLazyPages / 2);
}

void vmap_reclaim(uint64_t rest) {
    struct Run {
        uint64_t first, pages;
    } runs[kLazyPages / 4];
    size_t count;
    do {
        TlbBatch batch;  // many runs with one flush
        count = 0;
        {
            SpinGuard guard(space_lock);
            while (count < std::size(runs) && freed_pages > rest) {
                FreedRun* run = take_freed(0);
                runs[count] = {page_number(reinterpret_cast<VirtAddr>(run)), run->pages};
                unmap(runs[count].first, runs[count].pages, batch);
                ++count;
            }
        }
        tlb_shootdown_kernel(batch);
        for (size_t i = 0; i < count; ++i) give_pages(runs[i].first, runs[i].pages);
    } while (count == std::size(runs));
}

Result<VirtAddr> alloc_kernel_stack() {
    return reinterpret_cast<VirtAddr>(TRY(vmap_alloc(kStackPages))) + kKernelStackSize;
}

void free_kernel_stack(VirtAddr top) {
    vmap_free(reinterpret_cast<void*>(top - kKernelStackSize), kStackPages);
}
