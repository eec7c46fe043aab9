// Lab 2, frames.cc: who owns which 4 KiB of RAM.
//
// Free frames travel in chains of up to kChainLength, linked through Frame::owner, with the
// length in the head's owner_data. Each CPU keeps two chains and works on one of them alone,
// without a lock; only when both are empty (or full) does it take a whole chain from (give
// one to) the shared depot, under the one lock, in constant time. Two chains instead of one
// so that a program that allocates and frees around a chain's end does not visit the depot
// every time. This is the magazine scheme of Bonwick and Adams, "Magazines and Vmem" (USENIX
// 2001), with the magazine's slots inside the frames' own records.
//
//     frame_alloc ----> CPU: loaded <-> spare <====> depot: chain, chain, chain, ...
//
// A free frame is found by nobody but this file, so its whole record except `references`
// (which is 0, and catches who frees it twice) belongs to us. Caches are used with interrupts
// off: an interrupt handler may allocate, too.
//
// Locks: depot.lock (rank FrameZone) only; nothing is called while it is held.

#include "kernel/arch/cpu.h"
#include "kernel/base/memory_check.h"
#include "kernel/mm/frame.h"
#include "kernel/sync/spinlock.h"

namespace {

constexpr bool kPoison = kDebugBuild || __STDC_HOSTED__;
constexpr int kPoisonByte = 0xdd;
constexpr uint32_t kChainLength = 64;

struct Chain {
    Frame* head = nullptr;
    uint32_t length = 0;

    void push(Frame* frame) {
        frame->owner = head;
        head = frame;
        ++length;
    }
    Frame* pop() {
        Frame* frame = head;
        head = static_cast<Frame*>(frame->owner);
        frame->owner = nullptr;
        --length;
        return frame;
    }
};

struct FrameCache {
    Chain loaded;  // allocations and frees go here
    Chain spare;   // empty or full, or a drained depot's odd chain
};

struct Depot {
    SpinLock lock{LockRank::FrameZone};
    List<Frame, &Frame::link> chains GUARDED_BY(lock);  // by their heads
    uint64_t free GUARDED_BY(lock) = 0;
    uint64_t total GUARDED_BY(lock) = 0;

    void put(Chain& chain) REQUIRES(lock) {
        chain.head->owner_data = chain.length;
        chains.push_front(chain.head);
        free += chain.length;
        chain = {};
    }
    Chain take() REQUIRES(lock) {
        Chain chain;
        chain.head = chains.pop_front();
        if (chain.head == nullptr) return chain;
        chain.length = chain.head->owner_data;
        chain.head->owner_data = 0;
        free -= chain.length;
        return chain;
    }
};
Depot depot;

FrameCache& cache_of(Cpu& cpu) { return cpu.paging_lab.get<FrameCache>(); }

// `loaded` is empty: fills it from the spare or the depot. Interrupts are off.
[[gnu::noinline]] bool refill(FrameCache& cache) {
    if (cache.spare.length != 0) {
        std::swap(cache.loaded, cache.spare);
        return true;
    }
    SpinGuard guard(depot.lock);
    cache.loaded = depot.take();
    return cache.loaded.length != 0;
}

// `loaded` is full: makes it empty. Interrupts are off.
[[gnu::noinline]] void make_room(FrameCache& cache) {
    if (cache.spare.length != 0) {
        SpinGuard guard(depot.lock);
        depot.put(cache.spare);
    }
    std::swap(cache.loaded, cache.spare);
}

void release(Frame* frame) {
    ASSERT(!frame->link.linked());
    if constexpr (kPoison) memset(frame_data(frame), kPoisonByte, kPageSize);
    memory_forbid(frame_data(frame), kPageSize, Forbidden::FreedPage);
    frame->owner_data = 0;
    InterruptsOff off;
    FrameCache& cache = cache_of(this_cpu());
    if (cache.loaded.length == kChainLength) [[unlikely]] make_room(cache);
    cache.loaded.push(frame);
}

}  // namespace

void frames_init() {
    for (Cpu& cpu : cpus) cpu.paging_lab.construct<FrameCache>();
}

void frames_add_range(PhysAddr start, PhysAddr end) {
    Chain chain;
    SpinGuard guard(depot.lock);
    for (PhysAddr address = start; address < end; address += kPageSize) {
        chain.push(frame_of(address));
        if (chain.length == kChainLength) depot.put(chain);
    }
    if (chain.length != 0) depot.put(chain);
    depot.total += (end - start) >> kPageShift;
}

Result<Frame*> frame_alloc() {
    InterruptsOff off;
    FrameCache& cache = cache_of(this_cpu());
    if (cache.loaded.length == 0 && !refill(cache)) [[unlikely]] return Error(ENOMEM);
    Frame* frame = cache.loaded.pop();
    frame->references.store(1, std::memory_order_relaxed);
    memory_allow(frame_data(frame), kPageSize);
    return frame;
}

void frame_ref(Frame* frame) {
    uint32_t before = frame->references.fetch_add(1, std::memory_order_relaxed);
    if (before == 0 || before == kFrameHole) [[unlikely]]
        panic("frame %lx: a reference to a free frame", frame_address(frame));
}

void frame_unref(Frame* frame) {
    // Release: our writes to the page happen before whoever frees it; acquire: we see the
    // writes of all who dropped theirs before.
    uint32_t before = frame->references.fetch_sub(1, std::memory_order_acq_rel);
    if (before == 1) return release(frame);
    if (before == 0 || before == kFrameHole) [[unlikely]]
        panic("frame %lx is freed twice", frame_address(frame));
}

uint64_t frames_free() {
    SpinGuard guard(depot.lock);
    uint64_t count = depot.free;
    for (Cpu& cpu : cpus) {
        FrameCache& cache = cache_of(cpu);
        count += cache.loaded.length + cache.spare.length;
    }
    return count;
}

uint64_t frames_total() {
    SpinGuard guard(depot.lock);
    return depot.total;
}

void frames_drain_cache() {
    SpinGuard guard(depot.lock);
    FrameCache& cache = cache_of(this_cpu());
    if (cache.loaded.length != 0) depot.put(cache.loaded);
    if (cache.spare.length != 0) depot.put(cache.spare);
}
