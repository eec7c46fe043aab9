// Regular files of tmpfs: pages in a PageStore, copied from and to the caller page by
// page and mapped as they are by mmap(2).
//
// Reads take no lock: a page found is referenced while it is copied, and the size is one
// load. Writes and truncation hold the inode's Mutex. mmap's faults (get_page) run under
// the address space's Mutex and touch only the PageStore, so writing to a file from a
// mapping of the same file cannot deadlock.
//
// Invariants: PageStore::end() is the size in pages, rounded up; bytes of the last page
// beyond the size are zero, unless a mapping wrote there.
#include <algorithm>
#include <cstring>

#include "kernel/mm/page_store.h"
#include "kernel/fs/tmpfs.h"

namespace {

constexpr uint64_t kMaxFileSize = PageStore::kMaxPages * kPageSize;

char* data_of(const FrameRef& page) { return static_cast<char*>(frame_data(page.get())); }

class TmpfsRegular final : public TmpfsInode, public PageSource {
  public:
    TmpfsRegular(Tmpfs& fs, uint32_t mode) : TmpfsInode(fs, mode) {}
    ~TmpfsRegular() override { fs_.discharge_pages(pages_.count()); }

    Result<File*> open(uint32_t flags) override;
    Result<void> truncate(uint64_t size) override;
    Attributes stat() override {
        Attributes copy = attributes;
        copy.blocks = pages_.count() * (kPageSize / 512);
        return copy;
    }
    PageSource* page_source() override { return this; }

    Result<Frame*> get_page(uint64_t index) override;
    Frame* find_page(uint64_t index) override { return pages_.find(index); }
    void source_ref() override {
        mapped_.store(true, std::memory_order_relaxed);
        ref();
    }
    void source_unref() override { unref(); }
    uint64_t source_inode() const override { return number; }

    Result<size_t> read(IoBuffer& buffer, uint64_t offset);
    Result<size_t> write(IoBuffer& buffer, uint64_t offset);
    uint64_t size() const { return __atomic_load_n(&attributes.size, __ATOMIC_ACQUIRE); }

  private:
    void set_size(uint64_t size) {
        __atomic_store_n(&attributes.size, size, __ATOMIC_RELEASE);
    }
    void note_access();
    Result<size_t> write_page(IoBuffer& buffer, uint64_t offset, size_t size);
    Result<Frame*> add_page(uint64_t index, FrameRef fresh);

    PageStore pages_;
    std::atomic<bool> mapped_{false};  // ever: cutting must look for mappings
};

class TmpfsFile final : public File {
  public:
    TmpfsFile(TmpfsRegular& node, uint32_t flags) : File(node, flags), node_(node) {}
    Result<size_t> read_at(IoBuffer& buffer, uint64_t offset) override {
        return node_.read(buffer, offset);
    }
    Result<size_t> write_at(IoBuffer& buffer, uint64_t offset) override {
        return node_.write(buffer, offset);
    }
    bool seekable() const override { return true; }
    uint64_t size() override { return node_.size(); }

  private:
    TmpfsRegular& node_;
};

Result<File*> TmpfsRegular::open(uint32_t flags) {
    return TRY(make<TmpfsFile>(*this, flags));
}

// Once after each change (as Linux's relatime): reading costs a comparison, not a clock.
void TmpfsRegular::note_access() {
    if (attributes.accessed.seconds > attributes.modified.seconds) return;
    if (!mutex.try_lock()) return;
    attributes.accessed = vfs_now();
    mutex.unlock();
}

Result<size_t> TmpfsRegular::read(IoBuffer& buffer, uint64_t offset) {
    uint64_t end = size();
    while (offset < end && buffer.remaining() > 0 && !buffer.faulted()) {
        size_t in_page = offset % kPageSize;
        size_t part = std::min(kPageSize - in_page, end - offset);
        FrameRef page(pages_.find(offset / kPageSize));
        offset += page ? buffer.put(data_of(page) + in_page, part) : buffer.put_zeros(part);
    }
    note_access();
    return buffer.moved();
}

// Puts `fresh` into the hole, or finds what came
// there first. Returns the page with a reference.
Result<Frame*> TmpfsRegular::add_page(uint64_t index, FrameRef fresh) {
    if (!fs_.charge_page()) return Error(ENOSPC);
    const Frame* ours = fresh.get();
    auto there = pages_.add(index, std::move(fresh));
    if (!there.ok() || there.value() != ours) fs_.discharge_pages(1);
    return there;
}

Result<Frame*> TmpfsRegular::get_page(uint64_t index) {
    if (Frame* frame = pages_.find(index)) return frame;
    if (index >= pages_.end()) return Error(ENXIO);
    return add_page(index, FrameRef(TRY(frame_alloc_zeroed())));
}

// Writes within one page. A page that is new is filled before it is put into the store,
// so that a full one is never cleared first, and nobody sees it half written.
Result<size_t> TmpfsRegular::write_page(IoBuffer& buffer, uint64_t offset, size_t size) {
    size_t in_page = offset % kPageSize;
    uint64_t index = offset / kPageSize;
    if (FrameRef page(pages_.find(index)); page)
        return buffer.take(data_of(page) + in_page, size);
    FrameRef fresh(TRY(frame_alloc()));
    const Frame* ours = fresh.get();
    char* data = data_of(fresh);
    memset(data, 0, in_page);
    size_t moved = buffer.take(data + in_page, size);
    memset(data + in_page + moved, 0, kPageSize - in_page - moved);
    if (moved == 0) return moved;
    auto there = add_page(index, std::move(fresh));
    if (!there.ok()) {
        buffer.rewind(moved);
        return there.error();
    }
    // A fault of a mapping filled the hole while the caller's memory was being read.
    // `fresh` is gone then; the data is taken again.
    FrameRef page(there.value());
    if (page.get() == ours) return moved;
    buffer.rewind(moved);
    return buffer.take(data_of(page) + in_page, moved);
}

Result<size_t> TmpfsRegular::write(IoBuffer& buffer, uint64_t offset) {
    MutexGuard guard(mutex);
    uint64_t end = attributes.size;
    if (offset == kAppendOffset) offset = end;
    if (buffer.remaining() == 0) return size_t{0};
    if (offset >= kMaxFileSize) return Error(EFBIG);
    uint64_t stop = offset + std::min<uint64_t>(buffer.remaining(), kMaxFileSize - offset);
    if (pages_for(stop) > pages_.end()) pages_.resize(pages_for(stop));
    int error = EFAULT;
    while (offset < stop && !buffer.faulted()) {
        size_t part = std::min(kPageSize - offset % kPageSize, stop - offset);
        auto moved = write_page(buffer, offset, part);
        if (!moved.ok()) {
            error = moved.error().number();
            break;
        }
        offset += moved.value();
    }
    bool any = buffer.done() > 0;
    if (any && offset > end) set_size(offset);
    if (offset < stop) fs_.discharge_pages(pages_.resize(pages_for(attributes.size)));
    if (!any) return Error(error);
    attributes.modified = attributes.changed = vfs_now();
    return buffer.done();
}

Result<void> TmpfsRegular::truncate(uint64_t new_size) {
    if (new_size > kMaxFileSize) return Error(EFBIG);
    {
        MutexGuard guard(mutex);
        uint64_t kept = std::min(new_size, attributes.size);
        // The tail of the last page kept: zeros, for when the file grows again.
        FrameRef last(kept % kPageSize == 0 ? nullptr : pages_.find(kept / kPageSize));
        if (last) memset(data_of(last) + kept % kPageSize, 0, kPageSize - kept % kPageSize);
        set_size(new_size);
        fs_.discharge_pages(pages_.resize(pages_for(new_size)));
        attributes.modified = attributes.changed = vfs_now();
    }
    if (mapped_) AddressSpace::forget_pages(*this, pages_for(new_size));
    return {};
}

}  // namespace

Result<Inode*> tmpfs_make_file(Tmpfs& fs, uint32_t mode) {
    return TRY(make<TmpfsRegular>(fs, mode));
}
