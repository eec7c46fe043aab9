// What every layer speaks in: addresses and sizes, and Result<T>, a value or an errno. Its
// success path reads straight:
//
//     Frame* frame = TRY(frame_alloc());
//     TRY(map(...));
//
// Errors travel as positive errno numbers (of the C library's header, the ABI's) and become negative only at
// the system call boundary (kernel/syscall).
#pragma once
#include <cstddef>
#include <cstdint>
#include <errno.h>
#include <new>
#include <type_traits>
#include <utility>


#ifndef MELLO_DEBUG
#define MELLO_DEBUG 0
#endif
// Checks that cost time: lock order, poisoned memory. Off in the release profile.
inline constexpr bool kDebugBuild = MELLO_DEBUG;

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

// C++ cannot divide 128 bits without a runtime library.

// a * b / divisor, rounded down; the largest number when that does not fit (or divisor is 0).
inline uint64_t mul_div(uint64_t a, uint64_t b, uint64_t divisor) {
    uint64_t low, high, quotient, remainder;
    asm("mulq %3" : "=a"(low), "=d"(high) : "a"(a), "rm"(b) : "cc");
    if (high >= divisor) return ~0ull;  // DIV would fault
    asm("divq %4"
        : "=a"(quotient), "=d"(remainder)
        : "a"(low), "d"(high), "rm"(divisor)
        : "cc");
    return quotient;
}

// ---- Result ----

// Kernel-internal: an interrupted call that signal delivery turns into a restart or
// EINTR (Linux include/linux/errno.h). Never seen by a user program.
inline constexpr int kERESTARTSYS = 512;
inline constexpr int kERESTARTNOHAND = 514;  // restarts only when no handler ran

class [[nodiscard]] Error {
  public:
    constexpr explicit Error(int number) : number_(number) {}
    constexpr int number() const { return number_; }

  private:
    int number_;  // positive errno
};

// Trivial when T is trivial, so that a Result of a pointer or an integer travels in two
// registers (System V ABI, 3.2.3) and costs hot paths nothing.
template <typename T>
class [[nodiscard]] Result {
  public:
    constexpr Result(Error error) : errno_(error.number()) {}
    constexpr Result(T value) : errno_(0), value_(std::move(value)) {}

    Result(Result&& other) requires std::is_trivially_move_constructible_v<T>
    = default;
    Result(Result&& other) : errno_(other.errno_) {
        if (errno_ == 0) new (&value_) T(std::move(other.value_));
    }
    ~Result() requires std::is_trivially_destructible_v<T>
    = default;
    ~Result() {
        if (errno_ == 0) value_.~T();
    }

    constexpr bool ok() const { return errno_ == 0; }
    constexpr explicit operator bool() const { return ok(); }
    constexpr Error error() const { return Error(errno_); }
    // Only when ok().
    constexpr T& value() { return value_; }
    constexpr T release() { return std::move(value_); }

  private:
    int errno_;
    union {
        T value_;
        char none_;
    };
};

template <>
class [[nodiscard]] Result<void> {
  public:
    constexpr Result() : errno_(0) {}
    constexpr Result(Error error) : errno_(error.number()) {}
    constexpr bool ok() const { return errno_ == 0; }
    constexpr explicit operator bool() const { return ok(); }
    constexpr Error error() const { return Error(errno_); }
    constexpr void release() {}

  private:
    int errno_;
};

// Evaluates to the value, or returns the error from the enclosing function.
#define TRY(expression)                                     \
    ({                                                      \
        auto try_result_ = (expression);                    \
        if (!try_result_.ok()) [[unlikely]]                 \
            return try_result_.error();                     \
        try_result_.release();                              \
    })
