// What all inodes and all open files share: references, the offset of read(2), write(2)
// and lseek(2).
//
// The offset's Mutex is held over a whole transfer of a seekable file (POSIX XSH 2.9.7:
// reads and writes of one description do not interleave). Streams do not take it.
#include "kernel/fs/file.h"

#include "kernel/fs/vfs.h"

void File::unref() {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy_self();
}

File::~File() { inode->unref(); }

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

Result<uint64_t> File::seek(int64_t distance, int whence) {
    if (!seekable()) return Error(ESPIPE);
    MutexGuard guard(offset_mutex);
    int64_t base = 0;
    switch (whence) {
        case SEEK_SET: break;
        case SEEK_CUR: base = static_cast<int64_t>(offset); break;
        case SEEK_END: base = static_cast<int64_t>(size()); break;
        default: return Error(EINVAL);
    }
    int64_t target;
    if (__builtin_add_overflow(base, distance, &target)) return Error(EOVERFLOW);
    if (target < 0) return Error(EINVAL);
    offset = static_cast<uint64_t>(target);
    return offset;
}

// ---- Inodes ----

Inode::~Inode() = default;

void Inode::unref() {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy_self();
}

Result<File*> Inode::open(uint32_t flags) {
    return is_directory() ? make<File>(*this, flags) : device_open(*this, flags);
}
