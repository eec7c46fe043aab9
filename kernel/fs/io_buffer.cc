// IoBuffer: where a read goes and a write comes from. The three kinds share one loop: cut the
// transfer at the end of the current piece, move it, advance.
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

template <typename Move>
[[gnu::always_inline]] inline size_t IoBuffer::transfer(size_t size, Move move) {
    size = std::min(size, remaining_);
    if (kind_ != Kind::Vectors) {
        size_t moved = move(address_, size_t{0}, size);
        address_ += moved;
        remaining_ -= moved;
        faulted_ |= moved < size;
        return moved;
    }
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
    return transfer(size, [&](VirtAddr to, size_t done, size_t part) {
        const char* source = static_cast<const char*>(from) + done;
        if (kind_ != Kind::Kernel) return copy_to_user_partial(to, source, part);
        memcpy(reinterpret_cast<void*>(to), source, part);
        return part;
    });
}

size_t IoBuffer::take(void* to, size_t size) {
    return transfer(size, [&](VirtAddr from, size_t done, size_t part) {
        char* target = static_cast<char*>(to) + done;
        if (kind_ != Kind::Kernel) return copy_from_user_partial(target, from, part);
        memcpy(target, reinterpret_cast<const void*>(from), part);
        return part;
    });
}

size_t IoBuffer::put_zeros(size_t size) {
    return transfer(size, [&](VirtAddr to, size_t, size_t part) {
        if (kind_ != Kind::Kernel) return part - user_copy_zero(to, part);
        memset(reinterpret_cast<void*>(to), 0, part);
        return part;
    });
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
