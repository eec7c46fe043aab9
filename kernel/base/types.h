// Integer and address types that every layer uses.
#pragma once
#include <cstddef>
#include <cstdint>

using PhysAddr = uint64_t;  // byte address in physical memory
using VirtAddr = uint64_t;  // byte address in the current (or a named) address space

inline constexpr size_t kPageSize = 4096;
inline constexpr size_t kPageShift = 12;
inline constexpr size_t kLargePageSize = 2 * 1024 * 1024;
inline constexpr size_t kCacheLine = 64;

constexpr uint64_t round_down(uint64_t x, uint64_t multiple) { return x & ~(multiple - 1); }
// Wraps to 0 when x lies in the last `multiple` bytes: check for overflow before calling
// with a number that a user chose.
constexpr uint64_t round_up(uint64_t x, uint64_t multiple) {
    return (x + multiple - 1) & ~(multiple - 1);
}
constexpr bool is_aligned(uint64_t x, uint64_t multiple) {
    return (x & (multiple - 1)) == 0;
}
constexpr uint64_t pages_for(uint64_t bytes) { return (bytes + kPageSize - 1) >> kPageShift; }
