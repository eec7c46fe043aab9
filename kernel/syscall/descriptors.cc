// System calls on descriptors: close, dup, fcntl, ioctl, pipe, and what is done to an
// open file as a whole.
#include <algorithm>

#include "kernel/abi/termios.h"
#include "kernel/fs/file_lock.h"
#include "kernel/fs/pipe.h"
#include "kernel/syscall/calls.h"

constexpr uint32_t kSettableFlags = O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME;

static FdTable& files() { return *current_process().files; }

Result<void> sys_close(int fd) { return files().close(fd); }

Result<int> sys_dup(int fd) { return files().add(TRY(files().get(fd)), false); }

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
    if (lock.l_whence < SEEK_SET || lock.l_whence > SEEK_END) return Error(EINVAL);
    uint64_t bases[] = {0, file.offset, lock.l_whence == SEEK_END ? file.size() : 0};
    auto base = static_cast<int64_t>(bases[lock.l_whence]);
    int64_t start, end;
    if (__builtin_add_overflow(base, lock.l_start, &start)) return Error(EOVERFLOW);
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
        case F_GETFL: return file->flags | abi::kLargeFile;
        case F_SETFL:
            file->flags = (file->flags & ~kSettableFlags) |
                          (static_cast<uint32_t>(argument) & kSettableFlags);
            return uint64_t{0};
        case F_GETLK:
        case F_SETLK:
        case F_SETLKW: TRY(record_lock(fd, *file, command, argument)); return uint64_t{0};
        case F_GETPIPE_SZ:
        case F_SETPIPE_SZ:
            if (file->pipe() == nullptr) return Error(EBADF);
            if (command == F_GETPIPE_SZ) return uint64_t{file->pipe()->capacity()};
            return uint64_t{TRY(file->pipe()->set_capacity(static_cast<uint32_t>(argument)))};
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
    FileRef file = TRY(files().get(fd));
    return file->seekable() ? Result<void>() : Result<void>(Error(EINVAL));
}
Result<void> sys_sync() { return {}; }

Result<void> sys_ftruncate(int fd, int64_t size) {
    FileRef file = TRY(files().get(fd));
    if (size < 0 || !file->writable()) return Error(EINVAL);
    return file->truncate(static_cast<uint64_t>(size));
}
