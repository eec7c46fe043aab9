// PageStore: the pages of a tmpfs file or of shared memory, by index. Sparse: a page that
// was never used is a hole. A radix tree of frames with 512 children a node; a file of one
// page is that page.
//
// Locking: the spin lock (rank PageSource) guards the tree, since page faults look pages
// up under the address space's Mutex and cannot take the inode's. Frames leave the store
// only through resize(); each find() has its own reference, so a page being copied stays
// alive.
#pragma once

#include "kernel/mm/frame.h"
#include "kernel/sync/spinlock.h"

class PageSource;

class PageStore {
  public:
    static constexpr uint32_t kMaxHeight = 4;  // 512^4 pages: 2^48 bytes
    static constexpr uint64_t kMaxPages = 1ull << (9 * kMaxHeight);

    ~PageStore() { resize(0); }

    // The page with a reference for the caller; nullptr: a hole, or beyond the end.
    Frame* find(uint64_t index);
    // Puts `fresh` there unless a page is there already. Returns the page that is there
    // now, with a reference for the caller. ENOMEM, ENXIO beyond the end.
    Result<Frame*> add(uint64_t index, FrameRef fresh);
    // The store may have pages below `pages` from now on; those from there on are
    // dropped. Returns how many were.
    uint64_t resize(uint64_t pages);
    uint64_t end() const { return end_; }
    uint64_t count() const { return count_; }  // pages present

  private:
    Frame** slot(uint64_t index) REQUIRES(lock_);
    Result<Frame**> grow(uint64_t index) REQUIRES(lock_);
    uint64_t prune(Frame*& node, uint32_t height, uint64_t first);

    SpinLock lock_{LockRank::PageSource};
    uint32_t height_ GUARDED_BY(lock_) = 0;  // levels of nodes above the pages
    Frame* root_ GUARDED_BY(lock_) = nullptr;
    uint64_t end_ = 0;
    uint64_t count_ = 0;
};

// Memory for MAP_SHARED | MAP_ANONYMOUS: an unnamed object of zero pages that lives as long
// as regions (of this process and its forked children) refer to it.

// An object of `pages` pages, none of them there yet, with one reference. ENOMEM.
Result<PageSource*> make_shared_memory(uint64_t pages);
