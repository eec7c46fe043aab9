// System calls on descriptors: close, dup, fcntl, ioctl, pipe; moving data through them;
// listing directories.
//
// Each call holds a reference of the File while it runs, so that close(2) in another thread
// does not end a transfer. User memory is reached through IoBuffer only.
#include <algorithm>
#include <cstring>
#include <dirent.h>
#include <optional>

#include "kernel/abi/termios.h"
#include "kernel/syscall/calls.h"

// O_LARGEFILE: the C library says 0, as all its calls allow large files.
constexpr uint32_t kLargeFile = 0100000;
constexpr uint32_t kSettableFlags = O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME;

static FdTable& files() { return *current_process().files; }

Result<void> sys_close(int fd) { return files().close(fd); }

Result<int> sys_dup2(int old_fd, int new_fd) {
    if (old_fd != new_fd) return sys_dup3(old_fd, new_fd, 0);
    TRY(files().get(old_fd));
    return new_fd;
}

Result<int> sys_dup3(int old_fd, int new_fd, uint32_t flags) {
    if (old_fd == new_fd || (flags & ~O_CLOEXEC) != 0) return Error(EINVAL);
    if (new_fd < 0 || new_fd >= files().limit) return Error(EBADF);
    FileRef file = TRY(files().get(old_fd));
    return files().replace(new_fd, std::move(file), (flags & O_CLOEXEC) != 0);
}

// ---- fcntl ----

namespace {

Result<LockRange> lock_range(File& file, const struct flock& lock) {
    int64_t start = TRY(file.position(lock.l_start, lock.l_whence)), end;
    if (__builtin_add_overflow(start, lock.l_len, &end)) return Error(EOVERFLOW);
    if (lock.l_len < 0) std::swap(start, end);
    if (start < 0) return Error(EINVAL);
    return LockRange{static_cast<uint64_t>(start),
                     lock.l_len == 0 ? LockRange::kToEnd : static_cast<uint64_t>(end)};
}

Result<void> record_lock(int fd, File& file, int command, UserOut<struct flock> place) {
    struct flock lock = TRY(UserIn<struct flock>(place.address()).read());
    if (lock.l_type < F_RDLCK || lock.l_type > F_UNLCK) return Error(EINVAL);
    LockInfo info = {static_cast<LockType>(lock.l_type), TRY(lock_range(file, lock)),
                     current_process().pid};
    if (command != F_GETLK) {
        bool allowed[] = {file.readable(), file.writable(), true};
        if (!allowed[lock.l_type]) return Error(EBADF);
        TRY(file_lock(*file.inode, &files(), info, command == F_SETLKW));
        // Another thread may have closed the descriptor before the lock was there to drop.
        auto open = files().get(fd);
        if (!open.ok() || &*open.value() != &file) file_locks_release(*file.inode, &files());
        return {};
    }
    if (lock.l_type == F_UNLCK) return Error(EINVAL);
    lock.l_type = F_UNLCK;
    if (file_lock_conflict(*file.inode, &files(), info)) {
        bool to_end = info.range.end == LockRange::kToEnd;
        uint64_t length = to_end ? 0 : info.range.end - info.range.start;
        lock = {static_cast<int16_t>(info.type), SEEK_SET,
                static_cast<int64_t>(info.range.start), static_cast<int64_t>(length), info.pid};
    }
    return place.write(lock);
}

}  // namespace

Result<uint64_t> sys_fcntl(int fd, int command, uint64_t argument) {
    FileRef file = TRY(files().get(fd));
    switch (command) {
        case F_DUPFD:
        case F_DUPFD_CLOEXEC: {
            int lowest = static_cast<int>(argument);
            int copy = TRY(files().add(std::move(file), command == F_DUPFD_CLOEXEC, lowest));
            return static_cast<uint64_t>(copy);
        }
        case F_GETFD: return TRY(files().close_on_exec(fd)) ? FD_CLOEXEC : 0;
        case F_SETFD:
            TRY(files().set_close_on_exec(fd, (argument & FD_CLOEXEC) != 0));
            return uint64_t{0};
        case F_GETFL: return file->flags | kLargeFile;
        case F_SETFL:
            file->flags = (file->flags & ~kSettableFlags) |
                          (static_cast<uint32_t>(argument) & kSettableFlags);
            return uint64_t{0};
        case F_GETLK:
        case F_SETLK:
        case F_SETLKW: TRY(record_lock(fd, *file, command, argument)); return uint64_t{0};
        case F_GETPIPE_SZ: return file->pipe_capacity(File::kAsk);
        case F_SETPIPE_SZ: return file->pipe_capacity(static_cast<uint32_t>(argument));
        default: return Error(EINVAL);
    }
}

// ---- ioctl ----

Result<void> sys_ioctl(int fd, uint32_t request, VirtAddr argument) {
    FileRef file = TRY(files().get(fd));
    if (request == FIONREAD && file->inode->type() == S_IFREG) {
        uint64_t left = file->size() - std::min(file->size(), file->offset);
        return UserOut<int32_t>(argument).write(static_cast<int32_t>(left));
    }
    return file->ioctl(request, argument);
}

// ---- pipe ----

Result<void> sys_pipe2(VirtAddr fds, uint32_t flags) {
    if ((flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT)) != 0) return Error(EINVAL);
    PipeEnds ends = TRY(pipe_create(flags));
    FileRef read_end(ends.read_end), write_end(ends.write_end);
    bool close_on_exec = (flags & O_CLOEXEC) != 0;
    int first = TRY(files().add(std::move(read_end), close_on_exec));
    auto second = files().add(std::move(write_end), close_on_exec);
    int numbers[2] = {first, second.ok() ? second.value() : -1};
    Result<void> result = second.ok() ? copy_to_user(fds, numbers, sizeof numbers)
                                      : Result<void>(second.error());
    if (result.ok()) return {};
    for (int fd : numbers) (void)files().close(fd);
    return result;
}

// ---- Open files as a whole ----

// Everything is in memory: what was written is where it stays.
Result<void> sys_fsync(int fd) {
    return TRY(files().get(fd))->seekable() ? Result<void>() : Error(EINVAL);
}
Result<void> sys_sync() { return {}; }
Result<void> sys_listxattr() { return Error(EOPNOTSUPP); }

Result<void> sys_ftruncate(int fd, int64_t size) {
    FileRef file = TRY(files().get(fd));
    if (size < 0 || !file->writable()) return Error(EINVAL);
    return file->inode->truncate(static_cast<uint64_t>(size));
}

// ---- read, write and their relatives ----

namespace {

constexpr uint64_t kMaxTransfer = 0x7ffff000;  // as Linux: the most one call moves
constexpr uint64_t kMaxVectors = 1024;            // IOV_MAX

enum class Direction : uint8_t { Read, Write };

Result<FileRef> open_for(Direction direction, int fd) {
    FileRef file = TRY(files().get(fd));
    if (direction == Direction::Read ? !file->readable() : !file->writable())
        return Error(EBADF);
    return file;
}

// Writing to a pipe without readers is a signal, too.
Result<size_t> or_sigpipe(Result<size_t> result) {
    if (!result.ok() && result.error().number() == EPIPE) [[unlikely]] {
        SpinGuard guard(current_process().lock);
        signal_thread(*current_thread(), SIGPIPE, {current_process().pid, SI_USER});
    }
    return result;
}

// The caller's memory: one range, or the kernel's copy of an iovec array.
class UserMemory {
  public:
    UserMemory() = default;
    UserMemory(UserMemory&&) = delete;  // nor a copy
    ~UserMemory() {
        if (entries_ != short_) kfree(entries_, count_ * sizeof(UserIovec));
    }
    Result<IoBuffer> range(VirtAddr address, uint64_t size) {
        if (!is_user_range(address, size)) return Error(EFAULT);
        return IoBuffer::user(address, std::min(size, kMaxTransfer));
    }
    Result<IoBuffer> vectors(VirtAddr address, uint64_t count);

  private:
    UserIovec short_[8];
    UserIovec* entries_ = short_;
    size_t count_ = 0;
};

Result<IoBuffer> UserMemory::vectors(VirtAddr address, uint64_t count) {
    if (count > kMaxVectors) return Error(EINVAL);
    count_ = count;
    if (count_ > std::size(short_)) {
        entries_ = static_cast<UserIovec*>(kmalloc(count_ * sizeof(UserIovec)));
        if (entries_ == nullptr) return Error(ENOMEM);
    }
    TRY(copy_from_user(entries_, address, count_ * sizeof(UserIovec)));
    uint64_t total = 0;
    for (size_t i = 0; i < count_; i++) {
        const UserIovec& vector = entries_[i];
        if (static_cast<int64_t>(vector.length) < 0) return Error(EINVAL);
        if (!is_user_range(vector.base, vector.length)) return Error(EFAULT);
        total += vector.length;
        if (static_cast<int64_t>(total) < 0) return Error(EINVAL);
    }
    return IoBuffer::user_vectors({entries_, count_}, std::min(total, kMaxTransfer));
}

// The transfers of read and write and their relatives. kMemory makes the buffer once the
// descriptor is known to be good; without `offset` the file's own counts.
template <Direction direction, auto kMemory>
Result<size_t> transfer(int fd, VirtAddr address, uint64_t size,
                        std::optional<int64_t> offset = {}) {
    constexpr bool kReads = direction == Direction::Read;
    FileRef file = TRY(open_for(direction, fd));
    UserMemory user;
    IoBuffer buffer = TRY((user.*kMemory)(address, size));
    if (!offset) return kReads ? file->read(buffer) : or_sigpipe(file->write(buffer));
    if (*offset < 0) return Error(EINVAL);
    if (!file->seekable()) return Error(ESPIPE);
    auto at = static_cast<uint64_t>(*offset);
    return kReads ? file->read_at(buffer, at) : file->write_at(buffer, at);
}

}  // namespace

Result<size_t> sys_read(int fd, VirtAddr to, uint64_t size) {
    return transfer<Direction::Read, &UserMemory::range>(fd, to, size);
}
Result<size_t> sys_write(int fd, VirtAddr from, uint64_t size) {
    return transfer<Direction::Write, &UserMemory::range>(fd, from, size);
}
Result<size_t> sys_pread64(int fd, VirtAddr to, uint64_t size, int64_t offset) {
    return transfer<Direction::Read, &UserMemory::range>(fd, to, size, offset);
}
Result<size_t> sys_pwrite64(int fd, VirtAddr from, uint64_t size, int64_t offset) {
    return transfer<Direction::Write, &UserMemory::range>(fd, from, size, offset);
}
Result<size_t> sys_readv(int fd, VirtAddr iovecs, uint64_t count) {
    return transfer<Direction::Read, &UserMemory::vectors>(fd, iovecs, count);
}
Result<size_t> sys_writev(int fd, VirtAddr iovecs, uint64_t count) {
    return transfer<Direction::Write, &UserMemory::vectors>(fd, iovecs, count);
}
Result<uint64_t> sys_lseek(int fd, int64_t offset, int whence) {
    return TRY(files().get(fd))->seek(offset, whence);
}

// ---- sendfile ----

// One page at most, straight from the file's page to the target: one copy instead of the
// two of read and write. `moved` may be short, 0 at the end of the file.
static Result<size_t> send_page(File& out, File& in, uint64_t offset, size_t size) {
    uint64_t end = in.size();
    if (offset >= end) return size_t{0};
    size_t in_page = offset % kPageSize;
    size = std::min({size, kPageSize - in_page, end - offset});
    FrameRef page(TRY(in.inode->page_source()->get_page(offset / kPageSize)));
    IoBuffer buffer =
        IoBuffer::kernel(static_cast<char*>(frame_data(page.get())) + in_page, size);
    return out.write(buffer);
}

static Result<size_t> send(File& out, File& in, uint64_t offset, uint64_t size) {
    size_t done = 0;
    while (done < size) {
        auto moved = send_page(out, in, offset + done, size - done);
        if (!moved.ok() && done == 0) return moved;
        if (!moved.ok() || moved.value() == 0) break;
        done += moved.value();
        if (out.nonblocking()) continue;
        if (sleep_interrupted()) break;
        maybe_yield();
    }
    return done;
}

Result<size_t> sys_sendfile(int out_fd, int in_fd, VirtAddr offset, uint64_t size) {
    FileRef in = TRY(open_for(Direction::Read, in_fd));
    FileRef out = TRY(open_for(Direction::Write, out_fd));
    if (!in->seekable() || in->inode->page_source() == nullptr) return Error(EINVAL);
    if (out->flags & O_APPEND) return Error(EINVAL);
    size = std::min(size, kMaxTransfer);
    uint64_t start;
    if (offset != 0) {
        start = TRY(UserIn<uint64_t>(offset).read());
        if (static_cast<int64_t>(start) < 0) return Error(EINVAL);
    } else {
        MutexGuard guard(in->offset_mutex);
        start = in->offset;
    }
    size_t moved = TRY(or_sigpipe(send(*out, *in, start, size)));
    if (offset != 0) {
        TRY(UserOut<uint64_t>(offset).write(start + moved));
    } else {
        MutexGuard guard(in->offset_mutex);
        in->offset = start + moved;
    }
    return moved;
}

// ---- getdents64 ----

namespace {

// Writes records into kernel memory, one behind the other.
class DirentWriter final : public DirectoryListing {
  public:
    DirentWriter(char* records, size_t size) : at(records), left_(size) {}
    bool add(std::string_view name, uint64_t inode, uint32_t mode,
             uint64_t next_position) override {
        constexpr size_t kHead = offsetof(dirent64, d_name);
        size_t size = round_up(kHead + name.size() + 1, 8);
        full = size > left_;
        if (full) return false;
        auto type = static_cast<uint8_t>((mode & S_IFMT) >> 12);  // DT_*
        dirent64 head = {inode, static_cast<int64_t>(next_position),
                         static_cast<uint16_t>(size), type, {}};
        memset(at + size - 8, 0, 8);  // the end of the name; it may overwrite some of it
        memcpy(at, &head, kHead);
        memcpy(at + kHead, name.data(), name.size());
        at += size;
        left_ -= size;
        position = next_position;
        return true;
    }

    char* at;
    uint64_t position = 0;  // behind the last record
    bool full = false;

  private:
    size_t left_;
};

uint64_t parent_number(Inode& directory) {
    SpinGuard guard(vfs_tree_lock);
    Inode* parent = directory.parent();
    return parent != nullptr ? parent->number : directory.number;
}

}  // namespace

// A page of records at most: the caller asks again.
Result<size_t> sys_getdents64(int fd, VirtAddr out, uint32_t size) {
    FileRef file = TRY(files().get(fd));
    Inode& inode = *file->inode;
    if (!inode.is_directory()) return Error(ENOTDIR);
    ScratchPage page;
    char* records = TRY(page.get());
    DirentWriter writer(records, std::min<size_t>(size, kPageSize));
    MutexGuard offset_guard(file->offset_mutex);
    {
        MutexGuard guard(inode.mutex);
        uint64_t from = file->offset;
        if (from == 0 && writer.add(".", inode.number, S_IFDIR, 1)) from = 1;
        if (from == 1 && writer.add("..", parent_number(inode), S_IFDIR, 2)) from = 2;
        if (!writer.full) TRY(inode.list(from, writer));
    }
    auto total = static_cast<size_t>(writer.at - records);
    if (total == 0) return writer.full ? Result<size_t>(Error(EINVAL)) : size_t{0};
    TRY(copy_to_user(out, records, total));
    file->offset = writer.position;
    return total;
}
