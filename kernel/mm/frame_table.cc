// The table of Frame records: one for every 4 KiB between the first and the last usable
// byte of RAM, holes included, so that frame <-> address is one subtraction.
//
// The table is carved from the end of the largest usable range below 4 GiB, the part of
// memory that the boot page tables reach. RAM above is recorded at once but handed to the
// allocator only when the kernel's own direct map exists.
#include <algorithm>
#include <new>

#include "kernel/base/assert.h"
#include "kernel/mm/frame.h"

Frame* frame_table;
uint64_t first_frame_number;
uint64_t frame_table_size;

namespace {

constexpr PhysAddr kBootMapped = 4ull << 30;

MemoryRange high_ranges[kMaxMemoryRanges];
size_t high_count;

// The largest part of a usable range that the boot page tables map.
MemoryRange* largest_low_range(std::span<MemoryRange> usable) {
    MemoryRange* best = nullptr;
    uint64_t best_size = 0;
    for (MemoryRange& range : usable) {
        if (range.start >= kBootMapped) continue;
        uint64_t size = std::min(range.end, kBootMapped) - range.start;
        if (size > best_size) {
            best = &range;
            best_size = size;
        }
    }
    return best;
}

void mark_usable(const MemoryRange& range) {
    for (PhysAddr address = range.start; address < range.end; address += kPageSize)
        frame_table[(address >> kPageShift) - first_frame_number].references.store(
            0, std::memory_order_relaxed);
}

}  // namespace

void frame_table_init(std::span<MemoryRange> usable) {
    ASSERT(!usable.empty());
    first_frame_number = usable.front().start >> kPageShift;
    frame_table_size = (usable.back().end >> kPageShift) - first_frame_number;

    uint64_t bytes = round_up(frame_table_size * sizeof(Frame), kPageSize);
    MemoryRange* home = largest_low_range(usable);
    PhysAddr home_end = home == nullptr ? 0 : std::min(home->end, kBootMapped);
    if (home == nullptr || home_end - home->start <= bytes)
        panic("no room for the frame table: %lu KiB", bytes / 1024);
    PhysAddr table = home_end - bytes;
    frame_table = static_cast<Frame*>(phys_to_virt(table));

    for (uint64_t i = 0; i < frame_table_size; ++i) {
        Frame* frame = new (&frame_table[i]) Frame;
        frame->references.store(kFrameHole, std::memory_order_relaxed);
    }
    // A range that straddles 4 GiB has its high part after the table: split it there.
    for (const MemoryRange& range : usable) {
        MemoryRange low = range, high = range;
        low.end = std::min(range.end, kBootMapped);
        high.start = std::max(range.start, kBootMapped);
        if (&range == home) low.end = table;
        if (low.start < low.end) {
            mark_usable(low);
            frames_add_range(low.start, low.end);
        }
        if (high.start < high.end) {
            ASSERT(high_count < kMaxMemoryRanges);
            high_ranges[high_count++] = high;
        }
    }
}

void frame_table_add_high() {
    for (size_t i = 0; i < high_count; ++i) {
        mark_usable(high_ranges[i]);
        frames_add_range(high_ranges[i].start, high_ranges[i].end);
    }
    high_count = 0;
}

Result<Frame*> frame_alloc_zeroed() {
    Frame* frame = TRY(frame_alloc());
    page_clear(frame_data(frame));
    return frame;
}
