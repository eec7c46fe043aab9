// AddressSpace: the user memory of a process: regions (what may be there) over a page map
// (what is there). POSIX mmap(2), mprotect(2), munmap(2); Linux mremap(2), madvise(2),
// brk(2).
//
// One Mutex guards regions and page tables; the page-fault handler takes it, so user memory
// must not be touched while it is held.
#pragma once

#include "kernel/mm/page_map.h"
#include "kernel/sched/mutex.h"

// Where the pages of a mapped file come from. Implemented by files (kernel/fs) and by shared
// anonymous memory (page_store.h).
class PageSource {
  public:
    // The page at byte offset index * kPageSize, with a reference for the caller. A page
    // beyond the end is ENXIO (the process gets SIGBUS). Never sleeps for long: no I/O.
    virtual Result<Frame*> get_page(uint64_t index) = 0;
    // The same, but nullptr where get_page would have to allocate it: fault-around maps only
    // what is there.
    virtual Frame* find_page(uint64_t index) = 0;
    // References held by regions. The last one is never dropped under an AddressSpace's
    // mutex.
    virtual void source_ref() = 0;
    virtual void source_unref() = 0;
    // For /proc/<pid>/maps.
    virtual uint64_t source_inode() const { return 0; }

  protected:
    ~PageSource() = default;
};

enum Protection : uint8_t { kProtRead = 1, kProtWrite = 2, kProtExecute = 4 };

struct Region {
    VirtAddr start = 0, end = 0;  // page-aligned, end exclusive
    uint8_t protection = 0;       // Protection bits; 0: no access
    bool shared = false;          // MAP_SHARED: writes are seen by all mappers
    bool grows_down = false;      // a stack: a fault below extends it, up to its limit
    bool heap = false;            // the brk region
    PageSource* source = nullptr; // nullptr: anonymous
    uint64_t offset = 0;          // byte offset of `start` in the source, page-aligned
    bool never_write = false;     // shared, of a file that is not open for writing
    VirtAddr growth_limit = 0;    // grows_down: the lowest `start` it may get
    ListLink link = {};
};

// Kept free below a stack, so that one that overflows its limit hits nothing (Linux has the
// same 1 MiB since "Stack Clash", CVE-2017-1000364).
inline constexpr uint64_t kStackGap = 256 * kPageSize;

// Beside MAP_* in the flags of AddressSpace::map: the file of a shared mapping is not open
// for writing, so mprotect may not make it writable.
inline constexpr uint32_t kMapNeverWrite = 1u << 31;

enum class Access : uint8_t { Read, Write, Execute };
// How a fault ended when not resolved.
enum class FaultError : uint8_t { None, NoRegion, Protection, PastEnd, OutOfMemory };

// What is known about a space beside its regions, for brk(2), limits and /proc.
struct SpaceLayout {
    VirtAddr brk_start = 0, brk_end = 0;
    uint64_t limit_bytes = ~0ull;  // RLIMIT_AS
    uint64_t code_start = 0, code_end = 0, stack_start = 0;
    uint64_t arg_start = 0, arg_end = 0, env_start = 0, env_end = 0;
    VirtAddr mmap_top = kUserTop - kPageSize;  // mmap places below it, top down
};

class AddressSpace : public ActiveSpace, public SpaceLayout {
  public:
    // One reference, an empty user half.
    static Result<AddressSpace*> create();
    ~AddressSpace();
    void ref() { references_.fetch_add(1, std::memory_order_relaxed); }
    // The last reference unmaps everything and frees the tables. May sleep.
    void unref();

    // fork(2): a copy with COW (lab 2's clone.cc does the pages).
    Result<AddressSpace*> clone();
    // Removes everything (before exec fills it anew, or at the end of the process).
    void clear();

    // ---- mmap family: sizes are rounded up to pages; errors as the manual pages say ----
    // flags: MAP_* of kernel/abi/system.h. Returns the address.
    Result<VirtAddr> map(VirtAddr hint, uint64_t size, uint8_t protection, uint32_t flags,
                         PageSource* source, uint64_t offset);
    Result<void> unmap(VirtAddr address, uint64_t size);
    Result<void> protect(VirtAddr address, uint64_t size, uint8_t protection);
    Result<VirtAddr> remap(VirtAddr address, uint64_t old_size, uint64_t new_size,
                           uint32_t flags, VirtAddr new_address);
    Result<void> advise(VirtAddr address, uint64_t size, int advice);
    // brk(2): sets the end of the heap, returns the one in force afterwards.
    VirtAddr set_break(VirtAddr wanted);
    // exec: where the heap starts.
    void init_break(VirtAddr start);
    // exec: the main stack, `size` bytes below `top` mapped on demand, growing to `limit`
    // bytes. mmap places below that.
    Result<void> map_stack(VirtAddr top, uint64_t size, uint64_t limit);

    // Page fault or kernel access at `address`. Takes the lock. May sleep.
    FaultError handle_fault(VirtAddr address, Access access);
    // Maps the pages of [address, address + size) that are resident in their source or cheap
    // to give, without faulting one by one (fault-around, MAP_POPULATE). Best effort.
    void populate(VirtAddr address, uint64_t size, Access access);

    // A file became shorter: unmaps what any space has of `source` from page `first` on, so
    // that the next access asks the source again (SIGBUS). No space's mutex is held.
    static void forget_pages(const PageSource& source, uint64_t first);

    // /proc and accounting.
    uint64_t total_pages();     // size of all regions
    uint64_t resident_pages();  // present leaves

    // The region that contains `address`, or nullptr.
    Region* find_region(VirtAddr address) REQUIRES(mutex);

    ListLink all_link;  // in the list of all spaces
    PageMap page_map;  // page_map.root == ActiveSpace::root
    Mutex mutex{LockRank::AddressSpace};
    List<Region, &Region::link> regions GUARDED_BY(mutex);  // by address, disjoint

  private:
    // Regions taken out, kept until the lock is released: dropping the last reference of a
    // file takes locks that rank below ours. Declare it before the MutexGuard.
    class Dropped {
      public:
        ~Dropped();
        List<Region, &Region::link> regions;
    };

    static Result<AddressSpace*> create_unlisted();
    static Result<Region*> copy_region(const Region& region);  // with its own reference

    void unmap_source(const PageSource& source, uint64_t first) REQUIRES(mutex);
    Region* first_region_ending_after(VirtAddr address) REQUIRES(mutex);
    bool is_free(VirtAddr start, VirtAddr end) REQUIRES(mutex);
    bool is_covered(VirtAddr start, VirtAddr end) REQUIRES(mutex);
    bool fits_limit(uint64_t more) const REQUIRES(mutex);
    VirtAddr find_gap(uint64_t size) REQUIRES(mutex);
    Result<VirtAddr> choose_address(VirtAddr hint, uint64_t size, uint32_t flags,
                                    Dropped& dropped) REQUIRES(mutex);
    void insert_region(Region* region) REQUIRES(mutex);
    void remove_region(Region* region) REQUIRES(mutex);
    Result<void> split_region_at(VirtAddr address) REQUIRES(mutex);
    void merge(VirtAddr start, VirtAddr end, Dropped& dropped) REQUIRES(mutex);
    Result<void> unmap_locked(VirtAddr start, VirtAddr end, Dropped& dropped) REQUIRES(mutex);
    Result<void> move_pages(VirtAddr from, VirtAddr to, uint64_t size) REQUIRES(mutex);
    Result<VirtAddr> move_region(Region* region, uint64_t old_size, uint64_t new_size,
                                 uint32_t flags, VirtAddr new_address, Dropped& dropped) REQUIRES(mutex);
    bool grow_in_place(Region* region, VirtAddr end, uint64_t more, Dropped& dropped) REQUIRES(mutex);
    Region* grow_stack(VirtAddr address) REQUIRES(mutex);
    void populate_resident(Region& region, VirtAddr start, VirtAddr end) REQUIRES(mutex);

    std::atomic<uint32_t> references_{1};
    Region* finger_ GUARDED_BY(mutex) = nullptr;  // where the last search ended
    uint64_t total_bytes_ GUARDED_BY(mutex) = 0;
};

// The rights of protection bits as page flags: write as asked for.
uint64_t protection_page_flags(uint8_t protection);
// The page flags for a page that the region shares with its source: user, execute, write
// for shared mappings, kPageCow for private ones.
uint64_t region_page_flags(const Region& region);

// ---- Lab 2, fault.cc ----

// Makes the page at `address` (page-aligned, inside `region`, which allows `access`) present
// with the rights for it: demand zero, file page, copy on write (or just made writable when
// this is the last reference), or already done by another thread. Lock held.
FaultError resolve_fault(AddressSpace& space, Region& region, VirtAddr address,
                         Access access) REQUIRES(space.mutex);

// ---- Lab 2, clone.cc ----

// Gives `child` (empty page map) the pages of `parent`'s region: shared ones as they are,
// private ones read-only with kPageCow in both. Rights of the parent that shrink go to
// `batch`. ENOMEM: the caller destroys the child.
Result<void> clone_region(AddressSpace& parent, AddressSpace& child, const Region& region,
                          TlbBatch& batch) REQUIRES(parent.mutex);

// The calling thread's space, nullptr in a kernel thread.
AddressSpace* current_space();
// The trap core's page-fault handler: user faults and kernel accesses to user memory go to
// handle_fault; what stays unresolved goes to the fix-up table, to `deliver` (a signal) for
// user mode, or panics.
void page_fault_init(void (*deliver)(TrapFrame& frame, VirtAddr address, FaultError error));
