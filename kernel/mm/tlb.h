// TLB invalidation: on this CPU, and by interrupt on the others that may hold translations
// of the same address space (Intel SDM vol. 3, 4.10.4 and 4.10.5).
#pragma once
#include <cstdint>

#include "kernel/base/list.h"
#include "kernel/base/types.h"
#include "kernel/mm/frame.h"
#include "kernel/sched/thread.h"

// Pages whose translations changed, and frames that may be freed only after every TLB
// forgot them. Collect during a change of page tables, then tlb_shootdown once. Holds up to
// kMaxPages single pages, then means "everything of this space".
//
// A frame whose only reference is ours waits in a list through its link. Others may be in
// several batches at once (a shared page unmapped by two processes), so they wait in an
// array; when that is full the batch flushes what it has so far.
class TlbBatch {
  public:
    static constexpr uint32_t kMaxPages = 64;
    static constexpr uint32_t kMaxShared = 64;

    // For user pages: the space that is being changed. nullptr: the kernel's.
    explicit TlbBatch(ActiveSpace* space = nullptr) : space_(space) {}
    TlbBatch(const TlbBatch&) = delete;
    TlbBatch& operator=(const TlbBatch&) = delete;
    ~TlbBatch();  // asserts that nothing is left to do

    void add_page(VirtAddr page) {
        if (page_count_ < kMaxPages) pages_[page_count_] = page;
        ++page_count_;
        kernel_pages_ |= page >= kDirectMap;
    }
    void add_everything() { page_count_ = kMaxPages + 1; }
    // Drops one reference of `frame` once the flush is done. Call it after the entry was
    // changed and add_page called for it: it may flush.
    void free_after(Frame* frame);

    // Nothing to flush. There may be frames to drop nevertheless.
    bool empty() const { return page_count_ == 0; }
    bool everything() const { return page_count_ > kMaxPages; }
    bool has_kernel_pages() const { return kernel_pages_; }
    uint32_t page_count() const { return page_count_; }
    VirtAddr page(uint32_t i) const { return pages_[i]; }

    // Called by tlb_shootdown when all TLBs are clean: drops the frames, empties the batch.
    void finish();

  private:
    ActiveSpace* space_;
    uint32_t page_count_ = 0;
    uint32_t shared_count_ = 0;
    bool kernel_pages_ = false;
    VirtAddr pages_[kMaxPages];
    Frame* shared_[kMaxShared];
    List<Frame, &Frame::link> frames_;
};

// Invalidates the batch's pages on the calling CPU (kernel/mm/tlb.cc): INVLPG each, or a CR3
// load for everything; global pages survive that, so for everything of the kernel CR4.PGE is
// toggled (Intel SDM vol. 3, 4.10.4.1). Interrupts off.
void tlb_flush_local(const TlbBatch& batch);

// ---- Lab 4, shootdown.cc ----

// Sets up Cpu::shootdown_lab of all CPUs and the handler of kIpiShootdown. Boot CPU, after
// scheduler_init_cpu.
void shootdown_init();
// Flushes the batch on every CPU whose bit is in space.cpus, the calling one included, and
// returns when all have done it; then batch.finish(). Interrupts on, no spin lock held; the
// page tables are already changed. An empty batch costs nothing but finish().
void tlb_shootdown(ActiveSpace& space, TlbBatch& batch);
// The same for kernel addresses: all online CPUs.
void tlb_shootdown_kernel(TlbBatch& batch);
