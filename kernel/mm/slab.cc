// The kernel heap. Sizes up to kSlabMaxSize are rounded up to a class; a class cuts frames
// into objects. Larger blocks are whole frames: one from the direct map, more through vmap.
//
//     kmalloc --> this CPU's magazine of the class <--half a magazine--> slabs (one frame each)
//
// A magazine is an array of free objects that only its CPU touches, interrupts off: no lock
// on the fast path. A slab has no header: its state is in its Frame record.
//     owner        the class
//     owner_data   objects in use << 16 | offset of the first free object / 16 (kNone: full)
//     link         in the class's list while it has free objects
// A free object in a slab holds the next one's number in its first bytes.
//
// Debug builds fill objects: 0xdd while free, 0xa5 when given out. SAN=1 finds who writes to a
// freed object, beyond an object's end, or frees twice (kernel/base/memory_check.h).
//
// Locks: a class's lock (rank Slab); frames are taken and given under it.
#include "kernel/mm/slab.h"

#include <iterator>

#include "kernel/arch/smp.h"
#include "kernel/base/memory_check.h"
#include "kernel/mm/page_map.h"

namespace {

constexpr uint8_t kFreeByte = 0xdd, kFreshByte = 0xa5;

constexpr uint16_t kClassSizes[] = {16,  32,  48,  64,  128,  192,  256,
                                    320, 448, 576, 768, 1024, 1344, 2048};
constexpr size_t kClasses = std::size(kClassSizes);
constexpr uint32_t kUnit = 16;
constexpr uint32_t kNone = 0xffff;
constexpr uint32_t kMagazineSize = 32;

struct Slabs {
    SpinLock lock{LockRank::Slab};
    List<Frame, &Frame::link> partial GUARDED_BY(lock);  // have free objects
    uint32_t empty GUARDED_BY(lock) = 0;                 // of these, without any in use
    uint32_t size = 0;
};
struct Magazine {
    uint32_t count = 0;
    void* objects[kMagazineSize];
};
struct alignas(kCacheLine) CpuMagazines {
    Magazine magazines[kClasses];
};

Slabs classes[kClasses];
CpuMagazines cpu_magazines[kMaxCpus];
uint8_t class_of_units[kSlabMaxSize / kUnit + 1];  // by size in units, rounded up

size_t class_of(size_t size) { return class_of_units[(size + kUnit - 1) / kUnit]; }

// ---- Slabs: the class's lock is held ----

uint32_t in_use(const Frame* slab) { return slab->owner_data >> 16; }
uint32_t first_free(const Frame* slab) { return slab->owner_data & 0xffff; }
void set_state(Frame* slab, uint32_t used, uint32_t free) {
    slab->owner_data = used << 16 | free;
}
uint32_t& next_free(Frame* slab, uint32_t unit) {
    return *reinterpret_cast<uint32_t*>(static_cast<char*>(frame_data(slab)) + unit * kUnit);
}

Result<void> add_slab(Slabs& slabs) REQUIRES(slabs.lock) {
    Frame* slab = TRY(frame_alloc());
    slab->owner = &slabs;
    uint32_t step = slabs.size / kUnit;
    uint32_t count = kPageSize / slabs.size;
    for (uint32_t i = 0; i < count; ++i)
        next_free(slab, i * step) = i + 1 < count ? (i + 1) * step : kNone;
    set_state(slab, 0, 0);
    slabs.partial.push_front(slab);
    ++slabs.empty;
    return {};
}

void* take_object(Slabs& slabs) REQUIRES(slabs.lock) {
    if (slabs.partial.empty() && !add_slab(slabs).ok()) return nullptr;
    Frame* slab = slabs.partial.front();
    uint32_t unit = first_free(slab);
    uint32_t next = next_free(slab, unit);
    if (in_use(slab) == 0) --slabs.empty;
    set_state(slab, in_use(slab) + 1, next);
    if (next == kNone) slabs.partial.remove(slab);
    void* object = &next_free(slab, unit);
    memory_allow(object, slabs.size);
    return object;
}

// One empty slab is kept, so that a class used by fits and starts does not thrash.
void give_object(Slabs& slabs, void* object) REQUIRES(slabs.lock) {
    PhysAddr physical = virt_to_phys(object);
    Frame* slab = frame_of(physical);
    uint32_t unit = (physical % kPageSize) / kUnit;
    bool was_full = first_free(slab) == kNone;
    next_free(slab, unit) = first_free(slab);
    set_state(slab, in_use(slab) - 1, unit);
    if (was_full) slabs.partial.push_front(slab);
    if (in_use(slab) != 0) return;
    if (++slabs.empty == 1) return;
    --slabs.empty;
    slabs.partial.remove(slab);
    slab->owner = nullptr;
    slab->owner_data = 0;
    memory_allow(frame_data(slab), kPageSize);
    frame_unref(slab);
}

// ---- Magazines: interrupts are off ----

[[gnu::noinline]] void refill(Magazine& magazine, Slabs& slabs) {
    SpinGuard guard(slabs.lock);
    while (magazine.count < kMagazineSize / 2) {
        void* object = take_object(slabs);
        if (object == nullptr) return;
        magazine.objects[magazine.count++] = object;
    }
}

[[gnu::noinline]] void drain(Magazine& magazine, Slabs& slabs, uint32_t rest) {
    SpinGuard guard(slabs.lock);
    while (magazine.count > rest)
        give_object(slabs, magazine.objects[--magazine.count]);
}

// ---- Blocks of whole frames ----

void* alloc_pages(size_t size) {
    if (size > kPageSize) {
        Result<void*> block = vmap_alloc(pages_for(size));
        return block.ok() ? block.value() : nullptr;
    }
    Result<Frame*> frame = frame_alloc();
    return frame.ok() ? frame_data(frame.value()) : nullptr;
}

void free_pages(void* block, size_t size) {
    if (size > kPageSize) vmap_free(block, pages_for(size));
    else frame_unref(frame_of(virt_to_phys(block)));
}

void drain_this_cpu(void*) {
    for (size_t index = 0; index < kClasses; ++index)
        drain(cpu_magazines[this_cpu().id].magazines[index], classes[index], 0);
    frames_drain_cache();
}

}  // namespace

void slab_init() {
    size_t index = 0;
    for (size_t units = 0; units <= kSlabMaxSize / kUnit; ++units) {
        if (units * kUnit > kClassSizes[index]) ++index;
        class_of_units[units] = static_cast<uint8_t>(index);
    }
    for (size_t i = 0; i < kClasses; ++i) classes[i].size = kClassSizes[i];
}

void* kmalloc(size_t size) {
    if (size + kRedZone > kSlabMaxSize) return alloc_pages(size);
    size_t index = class_of(size + kRedZone);
    void* object;
    {
        InterruptsOff off;
        Magazine& magazine = cpu_magazines[this_cpu().id].magazines[index];
        if (magazine.count == 0) [[unlikely]] refill(magazine, classes[index]);
        if (magazine.count == 0) [[unlikely]] return nullptr;
        object = magazine.objects[--magazine.count];
    }
    memory_allow(object, classes[index].size);
    if constexpr (kDebugBuild) memset(object, kFreshByte, size);
    memory_forbid(object, classes[index].size, Forbidden::BeyondObject);
    memory_allow(object, size);
    return object;
}

void* kzalloc(size_t size) {
    void* object = kmalloc(size);
    if (object != nullptr) memset(object, 0, size);
    return object;
}

void kfree(void* object, size_t size) {
    if (object == nullptr) return;
    if (size + kRedZone > kSlabMaxSize) return free_pages(object, size);
    size_t index = class_of(size + kRedZone);
    memory_check(object, size, true);  // freed twice?
    memory_allow(object, classes[index].size);
    if constexpr (kDebugBuild) {
        ASSERT(frame_of(virt_to_phys(object))->owner == &classes[index]);
        memset(object, kFreeByte, classes[index].size);
    }
    InterruptsOff off;
    Magazine& magazine = cpu_magazines[this_cpu().id].magazines[index];
    if (magazine.count == kMagazineSize) [[unlikely]] drain(magazine, classes[index], kMagazineSize / 2);
    memory_forbid(object, classes[index].size, Forbidden::FreedObject);
    magazine.objects[magazine.count++] = object;
}

uint64_t memory_reclaim() {
    vmap_reclaim(0);
    ipi_call(~CpuMask{0}, drain_this_cpu, nullptr);
    return frames_free();
}
