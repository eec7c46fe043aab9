// What a change of page tables leaves to do, and the calling CPU's share of it. The other
// CPUs are lab 4's shootdown.cc.
#include "kernel/mm/page_map.h"

#include "kernel/metrics/counters.h"

namespace {
constexpr uint64_t kCr4Pge = 1 << 7;  // global pages enabled (Intel SDM vol. 3, 2.5)
}

TlbBatch::~TlbBatch() { ASSERT(page_count_ == 0 && shared_count_ == 0 && frames_.empty()); }

void TlbBatch::free_after(Frame* frame) {
    // The only reference is the one that was in the page tables: nobody else can find the
    // frame, so its link is free for us.
    if (frame->references.load(std::memory_order_acquire) == 1) {
        frames_.push_back(frame);
        return;
    }
    if (shared_count_ == kMaxShared) {
        if (space_ != nullptr) tlb_shootdown(*space_, *this);
        else tlb_shootdown_kernel(*this);
    }
    shared_[shared_count_++] = frame;
}

void TlbBatch::finish() {
    while (Frame* frame = frames_.pop_front()) frame_unref(frame);
    for (uint32_t i = 0; i < shared_count_; ++i) frame_unref(shared_[i]);
    page_count_ = shared_count_ = 0;
    kernel_pages_ = false;
}

void tlb_flush_local(const TlbBatch& batch) {
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
