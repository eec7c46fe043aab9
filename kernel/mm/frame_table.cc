// The table of Frame records: one for every 4 KiB between the first and the last usable
// byte of RAM, holes included, so that frame <-> address is one subtraction.
//
// The table is carved from the start of the largest usable range below 4 GiB, the part of
// memory that the boot page tables reach. RAM above is a hole until the kernel's own direct
// map exists, and is handed to the allocator then.
#include <algorithm>

#include "kernel/mm/frame.h"

Frame* frame_table;
uint64_t first_frame_number;
uint64_t frame_table_size;

namespace {

constexpr PhysAddr kBootMapped = 4ull << 30;

// How much of the range the boot page tables map.
uint64_t low_part(const MemoryRange& range) {
    return std::min(range.end, kBootMapped) - std::min(range.start, kBootMapped);
}

// Hands what of `usable` lies in [from, to) to the allocator.
void add_frames(std::span<const MemoryRange> usable, PhysAddr from, PhysAddr to) {
    for (const MemoryRange& range : usable) {
        PhysAddr start = std::max(range.start, from), end = std::min(range.end, to);
        if (start >= end) continue;
        uint64_t first = (start >> kPageShift) - first_frame_number;
        for (uint64_t i = 0; i < (end - start) >> kPageShift; ++i)
            frame_table[first + i].references.store(0, std::memory_order_relaxed);
        frames_add_range(start, end);
    }
}

}  // namespace

void* take_boot_memory(std::span<MemoryRange> usable, uint64_t bytes) {
    bytes = round_up(bytes, kPageSize);
    auto home = std::ranges::max_element(usable, {}, low_part);
    if (low_part(*home) <= bytes)
        panic("no room for a table of %lu KiB", bytes / 1024);
    void* memory = phys_to_virt(home->start);
    home->start += bytes;
    return memory;
}

void frame_table_init(std::span<MemoryRange> usable) {
    ASSERT(!usable.empty());
    first_frame_number = usable.front().start >> kPageShift;
    frame_table_size = (usable.back().end >> kPageShift) - first_frame_number;

    uint64_t bytes = frame_table_size * sizeof(Frame);
    frame_table = static_cast<Frame*>(take_boot_memory(usable, bytes));
    for (uint64_t i = 0; i < frame_table_size; ++i) {
        Frame* frame = new (&frame_table[i]) Frame;
        frame->references.store(kFrameHole, std::memory_order_relaxed);
    }
    add_frames(usable, 0, kBootMapped);
}

void frame_table_add_high(std::span<const MemoryRange> usable) {
    add_frames(usable, kBootMapped, ~0ull);
}

Result<Frame*> frame_alloc_zeroed() {
    Frame* frame = TRY(frame_alloc());
    page_clear(frame_data(frame));
    return frame;
}
