// Which memory may be touched: told by the allocators, checked at every access in kernels
// built with SAN=1 (KASAN, kernel/mm/san_memory.cc), nothing in others.
//
// Every eight bytes of RAM have a shadow byte: 0 when all may be touched, 1 to 7 when only
// so many, else why not. The compiler calls the checker before each load and store. Pages of
// the vmap area (kernel stacks, large blocks) have one such byte a page.
#pragma once
#include <span>

#include "kernel/base/types.h"

struct MemoryRange;

enum class Forbidden : uint8_t {
    FreedPage = 0xff,
    FreedObject = 0xfd,
    BeyondObject = 0xfc,
    FreedRun = 0xfb,  // of the vmap area: a stack, a large block
};

#if MELLO_SAN
// Memory of an allocator: addresses of the direct map in units of 8 bytes, or whole pages of
// the vmap area. memory_allow may end within a unit. Any context.
void memory_forbid(const void* start, size_t size, Forbidden why);
void memory_allow(const void* start, size_t size);
// Panics with a report where an access is not allowed.
void memory_check(const void* start, size_t size, bool write);
// Takes the shadow off the largest range; before that everything may be touched.
void memory_check_init(std::span<MemoryRange> usable);
// What an allocator adds to a block so that running over its end is seen.
inline constexpr size_t kRedZone = 16;
#else
inline void memory_forbid(const void*, size_t, Forbidden) {}
inline void memory_allow(const void*, size_t) {}
inline void memory_check(const void*, size_t, bool) {}
inline void memory_check_init(std::span<MemoryRange>) {}
inline constexpr size_t kRedZone = 0;
#endif
