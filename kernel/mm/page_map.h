// Page maps: the 4-level page tables of one address space (Intel SDM vol. 3, 4.5), and what a
// change of them leaves in the TLBs. map, unmap, protect and translate are lab 2's page_map.cc,
// the shootdown is lab 4's.
#pragma once
#include <optional>

#include "kernel/mm/frame.h"
#include "kernel/sched/thread.h"

// ---- TLB invalidation ----
// On this CPU, and by interrupt on the others that may hold translations of the same address
// space (Intel SDM vol. 3, 4.10.4 and 4.10.5).

// Pages whose translations changed, and frames that may be freed only after every TLB
// forgot them. Collect during a change of page tables, then tlb_shootdown once, or leave it to
// the end of the scope. Holds up to kMaxPages single pages, then means "everything of this
// space".
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
    ~TlbBatch();  // does what is left to do

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
    void flush();

    ActiveSpace* space_;
    uint32_t page_count_ = 0;
    uint32_t shared_count_ = 0;
    bool kernel_pages_ = false;
    VirtAddr pages_[kMaxPages];
    Frame* shared_[kMaxShared];
    List<Frame, &Frame::link> frames_;
};

// Invalidates the batch's pages on the calling CPU (address_space.cc): INVLPG each, or a CR3
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

// ---- Page maps ----
// An entry is in use when it is not 0. A used entry of an intermediate level is always
// present; a used leaf is present unless it has kPageNoAccess (PROT_NONE keeps its page, and
// neither the user nor the kernel on the user's behalf can reach it).
//
// Entries of intermediate levels allow everything (present, write, user for user
// addresses); the leaf decides. The caller holds the lock of the address space (or, for the
// kernel's map, the kernel space lock). Every table page is a Frame; user leaves hold one
// reference of the frame they map, unless it is not RAM.

// What a mapping allows; combined with |. Reading always is.
enum PageFlags : uint64_t {
    kPageRead = 0,
    kPageWrite = pte::kWrite,
    kPageUser = pte::kUser,
    kPageGlobal = pte::kGlobal,
    kPageUncached = pte::kCacheDisable | pte::kWriteThrough,
    kPageExecute = 1ull << 62,  // absence sets NX where the CPU has it; never stored
    kPageCow = pte::kSoftware0, // read-only now; the first write gets its own copy
    kPageShared = pte::kSoftware1, // MAP_SHARED: fork shares instead of COW
    kPageNoAccess = pte::kSoftware2, // the leaf stays, but not present
    kPageWriteCombining = 1 << 7,  // 4 KiB pages only: PAT entry 4 (Intel SDM vol. 3, 11.12)
};

struct PageMap {
    PhysAddr root = 0;
};

struct Translation {
    PhysAddr address;   // of the byte asked for
    uint64_t entry;     // the leaf entry as stored
    size_t page_size;   // 4 KiB, 2 MiB or 1 GiB
};

// ---- Lab 2, page_map.cc ----

// An empty user half; the kernel half shares the tables of `kernel` (nullptr: empty too, for
// the kernel's own map). ENOMEM.
Result<void> page_map_create(PageMap& map, const PageMap* kernel);
// Frees all tables of the user half and drops the references of all user leaves. The map is
// active nowhere.
void page_map_destroy(PageMap& map);
// Maps `size` bytes at `address` to physical memory at `physical`, with 2 MiB (or, when
// cpu_features.large_1g, 1 GiB) leaves where alignment and size allow and `allow_large`.
// EINVAL: unaligned, empty, overflowing or not canonical range; EEXIST: something is mapped
// there; ENOMEM. On failure nothing is mapped that was not before. Takes over one reference
// of each user frame (on success only). Tables made on the way may stay, empty.
Result<void> page_map_map(PageMap& map, VirtAddr address, PhysAddr physical, uint64_t size,
                          uint64_t flags, bool allow_large);
// Replaces the leaf of one mapped 4 KiB page (COW, fault upgrades), reporting to `batch` the
// flush and the old frame, if it changes; a new frame's reference is taken over. The page is
// mapped.
void page_map_replace(PageMap& map, VirtAddr address, PhysAddr physical, uint64_t flags,
                      TlbBatch& batch);
// Removes all leaves in [address, address + size); absent ones are skipped. A large leaf only
// partly in the range is split first (ENOMEM possible, nothing removed then). Frames and
// pages go to `batch`; emptied tables are kept.
Result<void> page_map_unmap(PageMap& map, VirtAddr address, uint64_t size, TlbBatch& batch);
// Changes the rights of all used leaves in the range, keeping kPageCow and kPageShared: a
// COW page does not become writable. Splits as unmap does.
Result<void> page_map_protect(PageMap& map, VirtAddr address, uint64_t size, uint64_t flags,
                              TlbBatch& batch);
// Where the CPU would find `address`; nothing for what is absent or kPageNoAccess.
std::optional<Translation> page_map_translate(const PageMap& map, VirtAddr address);
// Calls visit(context, address, entry) for each used 4 KiB leaf in the range, in order;
// the entry may be changed in place. Skips absent tables as a whole.
using LeafVisitor = void (*)(void* context, VirtAddr address, uint64_t& entry);
void page_map_visit(PageMap& map, VirtAddr address, uint64_t size, LeafVisitor visit,
                    void* context);
// The 512 leaf entries of the 2 MiB around `address`, entry 0 first, for loops over many
// pages: nullptr where there is no such table (absent, or a large leaf)...
uint64_t* page_map_find_table(const PageMap& map, VirtAddr address);
// ... or made if it is absent. ENOMEM; EEXIST where a large leaf is.
Result<uint64_t*> page_map_make_table(PageMap& map, VirtAddr address);

inline constexpr size_t kTableEntries = 512;
inline constexpr size_t leaf_index(VirtAddr address) {
    return (address >> kPageShift) % kTableEntries;
}

// ---- The kernel's own half of every address space: image (W^X), direct map, vmap area ----

// Builds the final kernel map (text RX, rodata R, data RW+NX, direct map of all RAM with
// large pages RW+NX, no identity map; all top-level entries of the kernel half present, so
// that later address spaces share them for good) and loads it on the boot CPU.
void kernel_space_init();
PageMap& kernel_map();

// Pages of kernel memory, contiguous in the vmap area, with an unmapped guard page before
// and after; contents unknown. ENOMEM. Freed ones are kept for reuse; many of them are
// unmapped together, with a flush on all CPUs.
Result<void*> vmap_alloc(size_t pages);
void vmap_free(void* address, size_t pages);
// Unmaps runs that were freed and are kept for the next user, until `rest` pages are left.
// Thread context, no spin lock.
void vmap_reclaim(uint64_t rest);
