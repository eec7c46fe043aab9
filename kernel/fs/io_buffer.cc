// IoBuffer: where a read goes and a write comes from. All three kinds are a row of pieces;
// the kernel's and a plain user range are a row of one, kept in the buffer itself.
#include "kernel/fs/io_buffer.h"

#include <algorithm>
#include <cstring>

#include "kernel/base/assert.h"
#include "kernel/mm/user_access.h"

IoBuffer IoBuffer::kernel(void* memory, size_t size) {
    IoBuffer buffer = user(reinterpret_cast<VirtAddr>(memory), size);
    buffer.kernel_ = true;
    return buffer;
}

IoBuffer IoBuffer::user(VirtAddr address, size_t size) {
    IoBuffer buffer;
    buffer.single_ = {address, size};
    buffer.remaining_ = buffer.total_ = size;
    return buffer;
}

IoBuffer IoBuffer::user_vectors(std::span<const UserIovec> vectors, size_t total) {
    IoBuffer buffer;
    buffer.vectors_ = vectors;
    buffer.remaining_ = buffer.total_ = total;
    return buffer;
}

// Cuts `size` bytes (at most remaining_) at the ends of the pieces and calls
// move(address, bytes done, part) for each part, which returns how much it moved.
template <typename Move>
inline size_t IoBuffer::transfer(size_t size, Move move) {
    size = std::min(size, remaining_);
    size_t done = 0;
    while (done < size) {
        const UserIovec& piece = this->piece();
        size_t part = std::min(size - done, piece.length - offset_);
        size_t moved = move(piece.base + offset_, done, part);
        done += moved;
        offset_ += moved;
        if (moved < part) {
            faulted_ = true;
            break;
        }
        if (offset_ == piece.length && !vectors_.empty()) {
            index_++;
            offset_ = 0;
        }
    }
    remaining_ -= done;
    return done;
}

size_t IoBuffer::put(const void* from, size_t size) {
    return transfer(size, [=, this](VirtAddr to, size_t done, size_t part) {
        const char* source = static_cast<const char*>(from) + done;
        if (!kernel_) return copy_to_user_partial(to, source, part);
        memcpy(reinterpret_cast<void*>(to), source, part);
        return part;
    });
}

size_t IoBuffer::take(void* to, size_t size) {
    return transfer(size, [=, this](VirtAddr from, size_t done, size_t part) {
        char* target = static_cast<char*>(to) + done;
        if (!kernel_) return copy_from_user_partial(target, from, part);
        memcpy(target, reinterpret_cast<const void*>(from), part);
        return part;
    });
}

size_t IoBuffer::put_zeros(size_t size) {
    return transfer(size, [this](VirtAddr to, size_t, size_t part) {
        if (!kernel_) return part - user_copy_zero(to, part);
        memset(reinterpret_cast<void*>(to), 0, part);
        return part;
    });
}

void IoBuffer::rewind(size_t size) {
    ASSERT(size <= done());
    remaining_ += size;
    while (size > offset_) {
        size -= offset_;
        index_--;
        offset_ = vectors_[index_].length;
    }
    offset_ -= size;
}
