// IoBuffer: the caller's memory in a read or write: a user range, a user iovec, or kernel
// memory. Files move data through put() and take() and never see which.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "kernel/base/result.h"
#include "kernel/base/types.h"

struct UserIovec {  // struct iovec of the Linux ABI
    VirtAddr base;
    uint64_t length;
};

class IoBuffer {
  public:
    static IoBuffer kernel(void* memory, size_t size);
    static IoBuffer user(VirtAddr address, size_t size);  // range already checked
    // `vectors` (a kernel copy, checked) must outlive the buffer.
    static IoBuffer user_vectors(std::span<const UserIovec> vectors, size_t total);

    size_t remaining() const { return remaining_; }
    size_t done() const { return total_ - remaining_; }
    // Copies up to `size` bytes from `from` into the caller's memory (a read), or from
    // the caller's memory to `to` (a write), and advances. Returns the bytes copied:
    // fewer than min(size, remaining()) only when the user's memory faulted, which
    // faulted() then says. May sleep; no spin lock is held.
    size_t put(const void* from, size_t size);
    size_t take(void* to, size_t size);
    size_t put_zeros(size_t size);
    bool faulted() const { return faulted_; }
    // What the transfer returns that stops now: done(), or EFAULT when a fault came first.
    Result<size_t> moved() const {
        if (done() == 0 && faulted_) return Error(EFAULT);
        return done();
    }
    // Un-takes `size` bytes of what was just taken or put (a short transfer further on).
    void rewind(size_t size);

  private:
    template <typename Move>
    size_t transfer(size_t size, Move move);
    const UserIovec& piece() const { return vectors_.empty() ? single_ : vectors_[index_]; }

    bool kernel_ = false, faulted_ = false;
    size_t remaining_ = 0, total_ = 0;
    UserIovec single_ = {};               // the only piece, unless there are vectors
    std::span<const UserIovec> vectors_;
    size_t index_ = 0, offset_ = 0;       // the next byte: which piece, where in it
};
