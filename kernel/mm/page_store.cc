// The radix tree of a file's pages: see page_store.h. A node is a frame of 512 pointers
// to frames: nodes of the next level, or at height 1 pages.
//
// Shared anonymous memory is a PageStore that is filled on first use.
#include "kernel/mm/page_store.h"

#include "kernel/mm/address_space.h"
#include "kernel/mm/slab.h"

namespace {

constexpr uint32_t kBits = 9;
constexpr uint64_t kFanout = 1 << kBits;

Frame** children(Frame* node) { return static_cast<Frame**>(frame_data(node)); }
// Pages below a node of this height.
constexpr uint64_t capacity(uint32_t height) { return 1ull << (kBits * height); }

class SharedMemory final : public PageSource {
  public:
    explicit SharedMemory(uint64_t pages) { store_.resize(pages); }

    Result<Frame*> get_page(uint64_t index) override {
        if (Frame* frame = store_.find(index)) return frame;
        // Zero a page without the lock; somebody may be faster, then theirs is taken.
        return store_.add(index, FrameRef(TRY(frame_alloc_zeroed())));
    }
    Frame* find_page(uint64_t index) override { return store_.find(index); }
    void source_ref() override { references_.fetch_add(1, std::memory_order_relaxed); }
    void source_unref() override {
        if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy(this);
    }

  private:
    std::atomic<uint32_t> references_{1};
    PageStore store_;
};

}  // namespace

Frame** PageStore::slot(uint64_t index) {
    if (index >= capacity(height_)) return nullptr;
    Frame** at = &root_;
    for (uint32_t height = height_; height > 0; height--) {
        if (*at == nullptr) return nullptr;
        at = &children(*at)[(index >> (kBits * (height - 1))) & (kFanout - 1)];
    }
    return at;
}

Frame* PageStore::find(uint64_t index) {
    SpinGuard guard(lock_);
    Frame** at = slot(index);
    if (at == nullptr || *at == nullptr) return nullptr;
    frame_ref(*at);
    return *at;
}

// Makes the tree high enough for `index` and gives it all nodes on the way to that slot.
Result<Frame**> PageStore::grow(uint64_t index) {
    while (index >= capacity(height_)) {
        if (root_ != nullptr) {
            Frame* node = TRY(frame_alloc_zeroed());
            children(node)[0] = root_;
            root_ = node;
        }
        height_++;
    }
    Frame** at = &root_;
    for (uint32_t height = height_; height > 0; height--) {
        if (*at == nullptr) *at = TRY(frame_alloc_zeroed());
        at = &children(*at)[(index >> (kBits * (height - 1))) & (kFanout - 1)];
    }
    return at;
}

Result<Frame*> PageStore::add(uint64_t index, FrameRef fresh) {
    SpinGuard guard(lock_);
    if (index >= end_) return Error(ENXIO);
    Frame** at = TRY(grow(index));
    if (*at == nullptr) {
        *at = fresh.release();
        count_++;
    }
    frame_ref(*at);
    return *at;
}

// Drops the pages with an index (counted within `node`) from `first` on; returns how
// many. A node that loses all goes too. The lock is held for one node of pages at a time,
// so that cutting a large file does not keep interrupts off; meanwhile nobody else
// removes nodes (the caller has the inode's Mutex) and none is added behind the end.
uint64_t PageStore::prune(Frame*& node, uint32_t height, uint64_t first) {
    if (node == nullptr) return 0;
    uint64_t dropped = 0;
    if (height > 1) {
        uint64_t below = capacity(height - 1);
        for (uint64_t i = first / below; i < kFanout; i++) {
            uint64_t skipped = i == first / below ? first % below : 0;
            dropped += prune(children(node)[i], height - 1, skipped);
        }
    }
    SpinGuard guard(lock_);
    for (uint64_t i = height == 1 ? first : kFanout; i < kFanout; i++) {
        Frame*& page = children(node)[i];
        if (page == nullptr) continue;
        frame_unref(std::exchange(page, nullptr));
        dropped++;
    }
    if (first == 0) {
        frame_unref(std::exchange(node, nullptr));
        if (height == 0) dropped++;  // the node was a page itself
    }
    return dropped;
}

uint64_t PageStore::resize(uint64_t pages) NO_THREAD_SAFETY_ANALYSIS {
    {
        SpinGuard guard(lock_);
        uint64_t old_end = std::exchange(end_, pages);
        if (pages >= old_end || pages >= capacity(height_)) return 0;
    }
    uint64_t dropped = prune(root_, height_, pages);
    SpinGuard guard(lock_);
    count_ -= dropped;
    if (root_ == nullptr) height_ = 0;
    return dropped;
}

Result<PageSource*> make_shared_memory(uint64_t pages) { return TRY(make<SharedMemory>(pages)); }
