// Result<T>: a value or an errno. The success path reads straight:
//
//     Frame* frame = TRY(frame_alloc());
//     TRY(map(...));
//
// Errors travel as positive errno numbers (kernel/abi/errno.h) and become negative only at
// the system call boundary (kernel/syscall).
#pragma once
#include <new>
#include <type_traits>
#include <utility>

#include "kernel/abi/errno.h"

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
    Result(const Result&) = delete;
    Result& operator=(const Result&) = delete;

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
