// Shared anonymous memory: an array of frames, filled on first use. The array is in two
// levels, so that a large mapping that is hardly used costs little.
#include "kernel/mm/shared_memory.h"

#include <cstring>

#include "kernel/mm/slab.h"
#include "kernel/sync/spinlock.h"

namespace {

constexpr uint64_t kPerLeaf = kPageSize / sizeof(Frame*);

class SharedMemory final : public PageSource {
  public:
    SharedMemory(uint64_t pages, Frame*** leaves) : pages_(pages), leaves_(leaves) {}

    Result<Frame*> get_page(uint64_t index) override {
        if (index >= pages_) return Error(ENXIO);
        if (Frame* frame = lookup(index)) return frame;
        // Zero a page without the lock; somebody may be faster, then theirs is taken.
        Frame* fresh = TRY(frame_alloc_zeroed());
        Result<Frame*> frame = install(index, fresh);
        if (!frame.ok() || frame.value() != fresh) frame_unref(fresh);
        return frame;
    }
    bool is_resident(uint64_t index) override {
        SpinGuard guard(lock_);
        return index < pages_ && leaf(index) != nullptr && slot(index) != nullptr;
    }
    void source_ref() override { references_.fetch_add(1, std::memory_order_relaxed); }
    void source_unref() override {
        if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
        for (uint64_t i = 0; i < leaf_count(); ++i) free_leaf(leaves_[i]);
        kfree(leaves_, leaf_count() * sizeof(Frame**));
        destroy(this);
    }

    static uint64_t leaves_for(uint64_t pages) { return (pages + kPerLeaf - 1) / kPerLeaf; }

  private:
    uint64_t leaf_count() const { return leaves_for(pages_); }
    Frame**& leaf(uint64_t index) { return leaves_[index / kPerLeaf]; }
    Frame*& slot(uint64_t index) { return leaf(index)[index % kPerLeaf]; }

    Frame* lookup(uint64_t index) {
        SpinGuard guard(lock_);
        if (leaf(index) == nullptr || slot(index) == nullptr) return nullptr;
        frame_ref(slot(index));
        return slot(index);
    }
    Result<Frame*> install(uint64_t index, Frame* fresh) {
        SpinGuard guard(lock_);
        if (leaf(index) == nullptr)
            leaf(index) = static_cast<Frame**>(kzalloc(kPageSize));
        if (leaf(index) == nullptr) return Error(ENOMEM);
        if (slot(index) == nullptr) slot(index) = fresh;
        frame_ref(slot(index));
        return slot(index);
    }
    static void free_leaf(Frame** leaf) {
        if (leaf == nullptr) return;
        for (uint64_t i = 0; i < kPerLeaf; ++i)
            if (leaf[i] != nullptr) frame_unref(leaf[i]);
        kfree(leaf, kPageSize);
    }

    std::atomic<uint32_t> references_{1};
    SpinLock lock_{LockRank::PageSource};
    uint64_t pages_;
    Frame*** leaves_;
};

}  // namespace

Result<PageSource*> make_shared_memory(uint64_t pages) {
    uint64_t bytes = SharedMemory::leaves_for(pages) * sizeof(Frame**);
    auto* leaves = static_cast<Frame***>(kzalloc(bytes));
    if (leaves == nullptr) return Error(ENOMEM);
    Result<SharedMemory*> memory = make<SharedMemory>(pages, leaves);
    if (!memory.ok()) {
        kfree(leaves, bytes);
        return memory.error();
    }
    return static_cast<PageSource*>(memory.value());
}
