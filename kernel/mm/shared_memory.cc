// Shared anonymous memory: a PageStore that is filled on first use.
#include "kernel/mm/shared_memory.h"

#include "kernel/mm/page_store.h"
#include "kernel/mm/slab.h"

namespace {

class SharedMemory final : public PageSource {
  public:
    explicit SharedMemory(uint64_t pages) { store_.resize(pages); }

    Result<Frame*> get_page(uint64_t index) override {
        if (Frame* frame = store_.find(index)) return frame;
        // Zero a page without the lock; somebody may be faster, then theirs is taken.
        Frame* fresh = TRY(frame_alloc_zeroed());
        Result<Frame*> frame = store_.add(index, fresh);
        if (!frame.ok() || frame.value() != fresh) frame_unref(fresh);
        return frame;
    }
    bool is_resident(uint64_t index) override { return store_.contains(index); }
    void source_ref() override { references_.fetch_add(1, std::memory_order_relaxed); }
    void source_unref() override {
        if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy(this);
    }

  private:
    std::atomic<uint32_t> references_{1};
    PageStore store_;
};

}  // namespace

Result<PageSource*> make_shared_memory(uint64_t pages) { return TRY(make<SharedMemory>(pages)); }
