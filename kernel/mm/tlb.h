// TLB invalidation: on this CPU, and by interrupt on the others that may hold translations
// of the same address space (Intel SDM vol. 3, 4.10.4 and 4.10.5).
#pragma once
#include <cstdint>

#include "kernel/base/types.h"
#include "kernel/mm/frame.h"
#include "kernel/sched/thread.h"

// Pages whose translations changed, and frames that may be freed only after every TLB
// forgot them. Collect during a change of page tables, then tlb_shootdown once. Holds up to
// kMaxPages single pages, then means "everything of this space".
class TlbBatch {
  public:
    static constexpr uint32_t kMaxPages = 64;

    TlbBatch() = default;
    TlbBatch(const TlbBatch&) = delete;
    TlbBatch& operator=(const TlbBatch&) = delete;
    ~TlbBatch();  // asserts that nothing is left to do

    void add_page(VirtAddr page) {
        if (page_count_ < kMaxPages) pages_[page_count_] = page;
        ++page_count_;
    }
    void add_everything() { page_count_ = kMaxPages + 1; }
    // Drops one reference of `frame` once the flush is done.
    void free_after(Frame* frame) { frames_.push_back(frame); }

    bool empty() const { return page_count_ == 0; }
    bool everything() const { return page_count_ > kMaxPages; }
    uint32_t page_count() const { return page_count_; }
    VirtAddr page(uint32_t i) const { return pages_[i]; }

    // Called by tlb_shootdown when all TLBs are clean: drops the frames, empties the batch.
    void finish();

  private:
    VirtAddr pages_[kMaxPages];
    uint32_t page_count_ = 0;
    List<Frame, &Frame::link> frames_;
};

// Invalidates the batch's pages on the calling CPU (kernel/mm/tlb.cc): INVLPG each, or a CR3
// load for everything. Kernel (global) pages need INVLPG: a CR3 load keeps them.
void tlb_flush_local(const TlbBatch& batch);

// ---- Lab 4, shootdown.cc ----

// Per-CPU state in Cpu::sched_lab's second half: see SchedLabLayout in the unit's header
// kernel/sched/run_queue.h. Sets up the handler of kIpiShootdown.
void shootdown_init();
// Flushes the batch on every CPU whose bit is in space.cpus, the calling one included, and
// returns when all have done it; then batch.finish(). Interrupts on, no spin lock held; the
// page tables are already changed. An empty batch costs nothing but finish().
void tlb_shootdown(ActiveSpace& space, TlbBatch& batch);
// The same for kernel addresses: all online CPUs.
void tlb_shootdown_kernel(TlbBatch& batch);
