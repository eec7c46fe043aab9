// What all inodes and all open files share: references, the offset of read(2), write(2)
// and lseek(2), and IoBuffer: where a read goes and a write comes from.
//
// The offset's Mutex is held over a whole transfer of a seekable file (POSIX XSH 2.9.7:
// reads and writes of one description do not interleave). Streams do not take it.
#include <algorithm>
#include <cstring>

#include "kernel/base/log.h"
#include "kernel/base/random.h"
#include "kernel/fs/vfs.h"
#include "kernel/mm/user_access.h"

Result<size_t> File::read(IoBuffer& buffer) {
    if (!seekable()) return read_at(buffer, 0);
    MutexGuard guard(offset_mutex);
    size_t moved = TRY(read_at(buffer, offset));
    offset += moved;
    return moved;
}

Result<size_t> File::write(IoBuffer& buffer) {
    if (!seekable()) return write_at(buffer, 0);
    MutexGuard guard(offset_mutex);
    bool append = (flags & O_APPEND) != 0;
    size_t moved = TRY(write_at(buffer, append ? kAppendOffset : offset));
    offset = append ? size() : offset + moved;
    return moved;
}

Result<int64_t> File::position(int64_t distance, int whence) {
    if (whence < SEEK_SET || whence > SEEK_END) return Error(EINVAL);
    uint64_t bases[] = {0, offset, whence == SEEK_END ? size() : 0};
    int64_t target;
    if (__builtin_add_overflow(bases[whence], distance, &target)) return Error(EOVERFLOW);
    return target;
}

Result<uint64_t> File::seek(int64_t distance, int whence) {
    if (!seekable()) return Error(ESPIPE);
    MutexGuard guard(offset_mutex);
    int64_t target = TRY(position(distance, whence));
    if (target < 0) return Error(EINVAL);
    offset = static_cast<uint64_t>(target);
    return offset;
}

// ---- Inodes ----

Result<File*> Inode::open(uint32_t flags) {
    return is_directory() ? make<File>(*this, flags) : device_open(*this, flags);
}

// ---- IoBuffer ----

// All three kinds are a row of pieces; the kernel's and a plain user range are a row of one,
// kept in the buffer itself.

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

void IoBuffer::put_random() {
    unsigned char block[256];
    while (remaining_ > 0 && !faulted_) {
        random_fill(block, std::min(remaining_, sizeof block));
        put(block, sizeof block);
        if (sleep_interrupted()) break;
        maybe_yield();
    }
}

void IoBuffer::rewind(size_t size) {
    ASSERT(size <= done());
    faulted_ = faulted_ && size == 0;  // what could be read is offered again
    remaining_ += size;
    while (size > offset_) {
        size -= offset_;
        index_--;
        offset_ = vectors_[index_].length;
    }
    offset_ -= size;
}
