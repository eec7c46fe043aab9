// System calls on descriptors: close, dup, fcntl, ioctl, pipe, and what is done to an
// open file as a whole.
#include <algorithm>

#include "kernel/abi/termios.h"
#include "kernel/fs/file_lock.h"
#include "kernel/fs/pipe.h"
#include "kernel/fs/vfs.h"
#include "kernel/mm/user_access.h"
#include "kernel/syscall/calls.h"
#include "kernel/task/process.h"

namespace {

constexpr uint32_t kSettableFlags = O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME;

FdTable& files() { return *current_process().files; }

// A new descriptor of `file`.
Result<int> duplicate(FileRef file, bool close_on_exec, int lowest) {
    int fd = TRY(files().add(file.get(), close_on_exec, lowest));
    (void)file.release();  // the table's now
    return fd;
}

}  // namespace

Result<void> sys_close(int fd) { return files().close(fd); }

Result<int> sys_dup(int fd) { return duplicate(TRY(files().get(fd)), false, 0); }

Result<int> sys_dup2(int old_fd, int new_fd) {
    if (old_fd != new_fd) return sys_dup3(old_fd, new_fd, 0);
    TRY(files().get(old_fd));
    return new_fd;
}

Result<int> sys_dup3(int old_fd, int new_fd, uint32_t flags) {
    if (old_fd == new_fd || (flags & ~O_CLOEXEC) != 0) return Error(EINVAL);
    if (new_fd < 0 || new_fd >= files().limit) return Error(EBADF);
    FileRef file = TRY(files().get(old_fd));
    int fd = TRY(files().replace(new_fd, file.get(), (flags & O_CLOEXEC) != 0));
    (void)file.release();
    return fd;
}

// ---- fcntl ----

namespace {

struct UserLock {  // struct flock
    int16_t type, whence;
    int32_t padding;
    int64_t start, length;
    int32_t pid, padding2;
};

Result<LockRange> lock_range(File& file, const UserLock& lock) {
    int64_t base = 0;
    if (lock.whence == SEEK_CUR) {
        base = static_cast<int64_t>(file.offset);
    } else if (lock.whence == SEEK_END) {
        base = static_cast<int64_t>(file.size());
    } else if (lock.whence != SEEK_SET) {
        return Error(EINVAL);
    }
    int64_t start, end;
    if (__builtin_add_overflow(base, lock.start, &start)) return Error(EOVERFLOW);
    if (__builtin_add_overflow(start, lock.length, &end)) return Error(EOVERFLOW);
    if (lock.length < 0) std::swap(start, end);
    if (start < 0) return Error(EINVAL);
    return LockRange{static_cast<uint64_t>(start),
                     lock.length == 0 ? LockRange::kToEnd : static_cast<uint64_t>(end)};
}

Result<void> get_lock(File& file, LockType type, LockRange range, VirtAddr address,
                      UserLock lock) {
    LockInfo info;
    if (file_lock_conflict(*file.inode, &files(), type, range, info)) {
        lock.type = info.type == LockType::Read ? F_RDLCK : F_WRLCK;
        lock.whence = SEEK_SET;
        lock.start = static_cast<int64_t>(info.range.start);
        lock.length = info.range.end == LockRange::kToEnd
                          ? 0
                          : static_cast<int64_t>(info.range.end - info.range.start);
        lock.pid = info.pid;
    } else {
        lock.type = F_UNLCK;
    }
    return UserOut<UserLock>(address).write(lock);
}

Result<void> record_lock(File& file, int command, VirtAddr address) {
    UserLock lock = TRY(UserIn<UserLock>(address).read());
    LockRange range = TRY(lock_range(file, lock));
    if (lock.type == F_UNLCK) {
        if (command == F_GETLK) return Error(EINVAL);
        return file_unlock(*file.inode, &files(), range);
    }
    if (lock.type != F_RDLCK && lock.type != F_WRLCK) return Error(EINVAL);
    LockType type = lock.type == F_RDLCK ? LockType::Read : LockType::Write;
    if (command == F_GETLK) return get_lock(file, type, range, address, lock);
    if (type == LockType::Read ? !file.readable() : !file.writable()) return Error(EBADF);
    return file_lock(*file.inode, &files(), current_process().pid, type,
                     range, command == F_SETLKW);
}

}  // namespace

Result<uint64_t> sys_fcntl(int fd, int command, uint64_t argument) {
    FileRef file = TRY(files().get(fd));
    switch (command) {
        case F_DUPFD:
        case F_DUPFD_CLOEXEC: {
            int lowest = static_cast<int>(argument);
            int copy =
                TRY(duplicate(std::move(file), command == F_DUPFD_CLOEXEC, lowest));
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
        case F_SETLKW: TRY(record_lock(*file, command, argument)); return uint64_t{0};
        case F_GETPIPE_SZ:
            if (file->pipe() == nullptr) return Error(EBADF);
            return uint64_t{file->pipe()->capacity()};
        case F_SETPIPE_SZ:
            if (file->pipe() == nullptr) return Error(EBADF);
            return uint64_t{
                TRY(file->pipe()->set_capacity(static_cast<uint32_t>(argument)))};
        default: return Error(EINVAL);
    }
}

// ---- ioctl ----

Result<uint64_t> sys_ioctl(int fd, uint32_t request, VirtAddr argument) {
    FileRef file = TRY(files().get(fd));
    if (request == FIONREAD && file->inode->type() == S_IFREG) {
        uint64_t left = file->size() - std::min(file->size(), file->offset);
        TRY(UserOut<int32_t>(argument).write(static_cast<int32_t>(left)));
        return uint64_t{0};
    }
    return file->ioctl(request, argument);
}

// ---- pipe ----

Result<void> sys_pipe2(VirtAddr fds, uint32_t flags) {
    if ((flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT)) != 0) return Error(EINVAL);
    PipeEnds ends = TRY(pipe_create(flags));
    FileRef read_end(ends.read_end), write_end(ends.write_end);
    bool close_on_exec = (flags & O_CLOEXEC) != 0;
    int first = TRY(duplicate(std::move(read_end), close_on_exec, 0));
    auto second = duplicate(std::move(write_end), close_on_exec, 0);
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
