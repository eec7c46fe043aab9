// Lab 2, frames.cc: who owns which 4 KiB of RAM. Contracts: kernel/mm/frame.h.
//
// This is the naive version: one list of free frames under one lock, and nothing comes back:
// frame_unref counts, but a frame whose last reference is gone is lost. The machine works
// until it has handed out each frame once.
//
// Your work (handouts/2-paging.md): give frames back; then a cache of free frames for each
// CPU, in Cpu::paging_lab, that is filled from and drained to the shared list in batches, so
// that the lock is taken once in dozens of allocations. In debug builds fill a freed frame
// with 0xdd. Detect a frame that is freed twice.
//
// While a frame is free its link, owner and owner_data are yours.
#include <new>

#include "kernel/arch/cpu.h"
#include "kernel/base/log.h"
#include "kernel/mm/frame.h"
#include "kernel/sync/spinlock.h"

namespace {

SpinLock list_lock{LockRank::FrameZone};
List<Frame, &Frame::link> free_list GUARDED_BY(list_lock);
uint64_t free_count GUARDED_BY(list_lock) = 0;
uint64_t total_count GUARDED_BY(list_lock) = 0;

}  // namespace

void frames_init() {}

void frames_add_range(PhysAddr start, PhysAddr end) {
    SpinGuard guard(list_lock);
    for (PhysAddr address = start; address < end; address += kPageSize) {
        free_list.push_back(frame_of(address));
        ++free_count;
        ++total_count;
    }
}

// Any context: an interrupt handler may allocate.
Result<Frame*> frame_alloc() {
    SpinGuard guard(list_lock);
    Frame* frame = free_list.pop_front();
    if (frame == nullptr) return Error(ENOMEM);
    --free_count;
    frame->references.store(1, std::memory_order_relaxed);
    return frame;
}

void frame_ref(Frame* frame) { frame->references.fetch_add(1, std::memory_order_relaxed); }

void frame_unref(Frame* frame) {
    frame->references.fetch_sub(1, std::memory_order_acq_rel);
}

uint64_t frames_free() {
    SpinGuard guard(list_lock);
    return free_count;
}

uint64_t frames_total() {
    SpinGuard guard(list_lock);
    return total_count;
}

// There is no cache yet.
void frames_drain_cache() {}
