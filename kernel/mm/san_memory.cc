// KASAN: finds accesses to freed memory and beyond the ends of blocks, at the instruction
// that makes them (SAN=1; kernel/base/memory_check.h has the scheme).
//
// This file and the slab allocator, which looks into freed objects on purpose, are compiled
// without the checks. After the first report nothing is checked any more: the panic may walk
// over what is broken.
#include <algorithm>

#include "kernel/base/memory_check.h"
#include "kernel/mm/frame.h"

namespace {

constexpr uint64_t kUnit = 8;
constexpr uint64_t kVmapPages = (8ull << 30) >> kPageShift;

uint8_t* shadow;            // of RAM, by units from address `first` on
VirtAddr first, last;       // addresses in the direct map that have a shadow
uint8_t vmap_shadow[kVmapPages];

// The shadow byte for `address`, or nullptr: nothing is known of it.
uint8_t* shadow_of(VirtAddr address) {
    if (address - first < last - first) return &shadow[(address - first) / kUnit];
    uint64_t page = (address - kVmapBase) >> kPageShift;
    return page < kVmapPages ? &vmap_shadow[page] : nullptr;
}

bool is_direct(VirtAddr address) { return address - first < last - first; }

const char* reason(uint8_t value) {
    switch (static_cast<Forbidden>(value)) {
        case Forbidden::FreedPage: return "use after free (of a page)";
        case Forbidden::FreedObject: return "use after free";
        case Forbidden::FreedRun: return "use after free (of a stack or large block)";
        default: return "out of bounds";
    }
}

// May [address, address + size), within one unit, be touched?
bool allowed(VirtAddr address, uint64_t size) {
    const uint8_t* byte = shadow_of(address);
    if (byte == nullptr || *byte == 0) [[likely]] return true;
    return *byte < kUnit && is_direct(address) && address % kUnit + size <= *byte;
}

[[gnu::always_inline]] inline void check(VirtAddr address, uint64_t size, bool write) {
    if (shadow == nullptr) return;
    for (VirtAddr at = address, end = address + size; at < end;) {
        VirtAddr next = std::min(end, round_down(at, kUnit) + kUnit);
        if (!allowed(at, next - at)) [[unlikely]] {
            uint8_t value = *shadow_of(at);
            shadow = nullptr;
            panic("KASAN: %s: %s of %lu bytes at %#lx, which is bad from byte %lu on",
                  reason(value), write ? "write" : "read", size, address, at - address);
        }
        at = next;
    }
}

void fill(const void* start, size_t size, uint8_t value) {
    auto address = reinterpret_cast<VirtAddr>(start);
    if (shadow == nullptr || shadow_of(address) == nullptr) return;
    uint64_t unit = is_direct(address) ? kUnit : kPageSize;
    memset(shadow_of(address), value, size / unit);
    if (size % unit != 0 && value == 0 && unit == kUnit)
        *shadow_of(address + size) = static_cast<uint8_t>(size % unit);
}

}  // namespace

void memory_forbid(const void* start, size_t size, Forbidden why) {
    fill(start, size, static_cast<uint8_t>(why));
}
void memory_allow(const void* start, size_t size) { fill(start, size, 0); }
void memory_check(const void* start, size_t size, bool write) {
    check(reinterpret_cast<VirtAddr>(start), size, write);
}

void memory_check_init(std::span<MemoryRange> usable) {
    PhysAddr low = usable.front().start, high = usable.back().end;
    uint64_t bytes = (high - low) / kUnit;
    auto* memory = static_cast<uint8_t*>(take_boot_memory(usable, bytes));
    memset(memory, 0, bytes);
    first = low + kDirectMap;
    last = high + kDirectMap;
    shadow = memory;
}

// What the compiler calls (GCC, -fsanitize=kernel-address with calls instead of inline code).
#define ACCESS(size)                                                                     \
    void __asan_load##size(VirtAddr address) { check(address, size, false); }   \
    void __asan_store##size(VirtAddr address) { check(address, size, true); }
extern "C" {
ACCESS(1) ACCESS(2) ACCESS(4) ACCESS(8) ACCESS(16)
void __asan_loadN(VirtAddr address, size_t size) { check(address, size, false); }
void __asan_storeN(VirtAddr address, size_t size) { check(address, size, true); }
// Of no concern: stacks and globals have no red zones.
void __asan_handle_no_return() {}
void __asan_before_dynamic_init(const void*) {}
void __asan_after_dynamic_init() {}
}
