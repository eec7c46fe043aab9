// IoBuffer: where a read goes and a write comes from. One contiguous piece, the common
// case, is one copy; vectors are a loop over pieces.
#include "kernel/fs/io_buffer.h"

#include <algorithm>
#include <cstring>

#include "kernel/base/assert.h"
#include "kernel/mm/user_access.h"

IoBuffer IoBuffer::kernel(void* memory, size_t size) {
    IoBuffer buffer;
    buffer.kind_ = Kind::Kernel;
    buffer.address_ = reinterpret_cast<VirtAddr>(memory);
    buffer.remaining_ = buffer.total_ = size;
    return buffer;
}

IoBuffer IoBuffer::user(VirtAddr address, size_t size) {
    IoBuffer buffer;
    buffer.kind_ = Kind::User;
    buffer.address_ = address;
    buffer.remaining_ = buffer.total_ = size;
    return buffer;
}

IoBuffer IoBuffer::user_vectors(std::span<const UserIovec> vectors, size_t total) {
    IoBuffer buffer;
    buffer.kind_ = Kind::Vectors;
    buffer.vectors_ = vectors;
    buffer.remaining_ = buffer.total_ = total;
    return buffer;
}

// Account for `moved` of `wanted` contiguous bytes.
inline size_t IoBuffer::advance(size_t wanted, size_t moved) {
    address_ += moved;
    remaining_ -= moved;
    faulted_ |= moved < wanted;
    return moved;
}

// Cuts `size` bytes (at most remaining_) at the ends of the vectors and calls
// move(address, bytes done, part), which returns how much it moved.
template <typename Move>
inline size_t IoBuffer::transfer_vectors(size_t size, Move move) {
    size_t done = 0;
    while (done < size) {
        const UserIovec& vector = vectors_[vector_];
        size_t part = std::min(size - done, vector.length - vector_offset_);
        size_t moved = move(vector.base + vector_offset_, done, part);
        done += moved;
        vector_offset_ += moved;
        remaining_ -= moved;
        if (moved < part) {
            faulted_ = true;
            break;
        }
        if (vector_offset_ == vector.length) {
            vector_++;
            vector_offset_ = 0;
        }
    }
    return done;
}

size_t IoBuffer::put(const void* from, size_t size) {
    size = std::min(size, remaining_);
    switch (kind_) {
        case Kind::User:
            return advance(size, copy_to_user_partial(address_, from, size));
        case Kind::Kernel:
            memcpy(reinterpret_cast<void*>(address_), from, size);
            break;
        case Kind::Vectors:
            return transfer_vectors(size, [from](VirtAddr to, size_t done, size_t part) {
                return copy_to_user_partial(to, static_cast<const char*>(from) + done,
                                            part);
            });
    }
    return advance(size, size);
}

size_t IoBuffer::take(void* to, size_t size) {
    size = std::min(size, remaining_);
    switch (kind_) {
        case Kind::User:
            return advance(size, copy_from_user_partial(to, address_, size));
        case Kind::Kernel:
            memcpy(to, reinterpret_cast<const void*>(address_), size);
            break;
        case Kind::Vectors:
            return transfer_vectors(size, [to](VirtAddr from, size_t done, size_t part) {
                return copy_from_user_partial(static_cast<char*>(to) + done, from, part);
            });
    }
    return advance(size, size);
}

size_t IoBuffer::put_zeros(size_t size) {
    size = std::min(size, remaining_);
    switch (kind_) {
        case Kind::User:
            return advance(size, size - user_copy_zero(address_, size));
        case Kind::Kernel:
            memset(reinterpret_cast<void*>(address_), 0, size);
            break;
        case Kind::Vectors:
            return transfer_vectors(size, [](VirtAddr to, size_t, size_t part) {
                return part - user_copy_zero(to, part);
            });
    }
    return advance(size, size);
}

void IoBuffer::rewind(size_t size) {
    ASSERT(size <= done());
    remaining_ += size;
    if (kind_ != Kind::Vectors) {
        address_ -= size;
        return;
    }
    while (size > vector_offset_) {
        size -= vector_offset_;
        vector_--;
        vector_offset_ = vectors_[vector_].length;
    }
    vector_offset_ -= size;
}
