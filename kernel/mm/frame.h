// Physical memory in frames of 4 KiB. Every frame of RAM has a Frame record; a frame in use
// has at least one reference, and the last reference dropped frees it.
// The allocator is lab 2's frames.cc.
#pragma once
#include <atomic>
#include <cstring>

#include "kernel/arch/bootinfo.h"
#include "kernel/arch/paging.h"
#include "kernel/base/list.h"
#include "kernel/base/ref.h"

// 32 bytes, kept small: 1/128 of RAM.
// owner_data, link and owner are free for the owner of a frame in use (slab: objects in use,
// list of slabs, cache) and the allocator's while it is free: it gives them out cleared, and
// the owner gives the link back unlinked.
struct Frame {
    std::atomic<uint32_t> references{0};
    uint32_t owner_data = 0;
    ListLink link;
    void* owner = nullptr;
    void ref();    // for FrameRef: frame_ref and frame_unref
    void unref();
};
static_assert(sizeof(Frame) == 32);
using FrameRef = Ref<Frame>;

// The table of Frame records, indexed by frame number - first_frame_number; set by
// frame_table_init from the usable ranges. Frames in holes have references == kFrameHole.
extern Frame* frame_table;
extern uint64_t first_frame_number;
extern uint64_t frame_table_size;
inline constexpr uint32_t kFrameHole = ~0u;

inline PhysAddr frame_address(const Frame* frame) {
    return (static_cast<uint64_t>(frame - frame_table) + first_frame_number) << kPageShift;
}
// nullptr for an address that is no RAM of ours (MMIO, holes, the kernel image).
inline Frame* frame_of(PhysAddr address) {
    uint64_t index = (address >> kPageShift) - first_frame_number;
    if (index >= frame_table_size) return nullptr;
    Frame* frame = &frame_table[index];
    return frame->references.load(std::memory_order_relaxed) == kFrameHole ? nullptr : frame;
}
inline void* frame_data(const Frame* frame) { return phys_to_virt(frame_address(frame)); }

// ---- kernel/mm/frame.cc ----

// Memory for a table that stays, off the largest usable range below 4 GiB. Panics without.
void* take_boot_memory(std::span<MemoryRange> usable, uint64_t bytes);
// Takes memory for the table off the largest usable range, fills it, hands the rest of RAM
// to frames_add_range. Boot CPU, once.
// At first only RAM below 4 GiB, which is all that the boot page tables map.
void frame_table_init(std::span<MemoryRange> usable);
// The rest of the same ranges, once the kernel's own map reaches it.
void frame_table_add_high(std::span<const MemoryRange> usable);

// ---- Lab 2, frames.cc ----

// Before the first frames_add_range.
void frames_init();
// Gives the frames [start, end), page-aligned, to the allocator. Their records are fresh:
// no references, unlinked.
void frames_add_range(PhysAddr start, PhysAddr end);
// A frame with one reference and unknown contents. ENOMEM. Any context. The fast path takes
// from the calling CPU's cache, which is refilled and drained in batches.
Result<Frame*> frame_alloc();
// One more reference. The caller holds one already.
void frame_ref(Frame* frame);
// One less; the last one frees the frame (poisoned with 0xdd in debug builds). Panics on a
// frame that has none.
void frame_unref(Frame* frame);
inline void Frame::ref() { frame_ref(this); }
inline void Frame::unref() { frame_unref(this); }
// Free frames, in caches and in the shared list; exact when the machine is quiet.
uint64_t frames_free();
uint64_t frames_total();
// Gives the frames in the calling CPU's cache back to the shared list.
void frames_drain_cache();

// ---- kernel/mm/frame.cc ----

// A frame of zeros.
Result<Frame*> frame_alloc_zeroed();

// Zeroing and copying whole pages, by the means that is fastest on this machine.
// Times the candidates and chooses, also for user copies (user_copy_rep). Boot CPU, once,
// after the TSC is calibrated; before it the portable choice is in force.
void page_copy_init();

// `page`, `to` and `from` are page-aligned and do not overlap.
void page_clear(void* page);
void page_copy(void* to, const void* from);
