// System calls that change metadata: chmod, chown, utimes and relatives, truncate(2).
#include "kernel/syscall/calls.h"
#include "kernel/syscall/path_argument.h"

namespace {

Result<void> change_mode(Inode& inode, uint32_t mode) {
    MutexGuard guard(inode.mutex);
    inode.attributes.mode = inode.type() | (mode & 07777);
    inode.attributes.changed = vfs_now();
    return {};
}

constexpr uint32_t kUnchanged = ~0u;

Result<void> change_owner(Inode& inode, uint32_t uid, uint32_t gid) {
    MutexGuard guard(inode.mutex);
    Attributes& attributes = inode.attributes;
    if (uid != kUnchanged) attributes.uid = uid;
    if (gid != kUnchanged) attributes.gid = gid;
    if (!inode.is_directory() && (attributes.mode & 0111) != 0)
        attributes.mode &= ~static_cast<uint32_t>(S_ISUID | S_ISGID);
    attributes.changed = vfs_now();
    return {};
}

// ---- Times ----

struct NewTimes {
    TimeSpec accessed, modified;
};
constexpr NewTimes kBothNow = {{0, UTIME_NOW}, {0, UTIME_NOW}};

bool is_valid(TimeSpec time) {
    return time.nanoseconds == UTIME_NOW || time.nanoseconds == UTIME_OMIT ||
           (time.nanoseconds >= 0 && time.nanoseconds < 1'000'000'000);
}

Result<void> change_times(Inode& inode, const NewTimes& times) {
    if (!is_valid(times.accessed) || !is_valid(times.modified)) return Error(EINVAL);
    TimeSpec now = vfs_now();
    auto set = [&](TimeSpec& time, TimeSpec wanted) {
        if (wanted.nanoseconds == UTIME_OMIT) return;
        time = wanted.nanoseconds == UTIME_NOW ? now : wanted;
    };
    MutexGuard guard(inode.mutex);
    set(inode.attributes.accessed, times.accessed);
    set(inode.attributes.modified, times.modified);
    inode.attributes.changed = now;
    return {};
}

}  // namespace

Result<void> sys_fchmodat(int dirfd, VirtAddr path, uint32_t mode) {
    return change_mode(*TRY(inode_at(dirfd, path, 0)), mode);
}
Result<void> sys_fchmod(int fd, uint32_t mode) {
    return change_mode(*TRY(inode_of(fd)), mode);
}

Result<void> sys_fchownat(int dirfd, VirtAddr path, uint32_t uid, uint32_t gid, int flags) {
    if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0) return Error(EINVAL);
    return change_owner(*TRY(inode_at(dirfd, path, flags)), uid, gid);
}
Result<void> sys_fchown(int fd, uint32_t uid, uint32_t gid) {
    return change_owner(*TRY(inode_of(fd)), uid, gid);
}

Result<void> sys_utimensat(int dirfd, VirtAddr path, VirtAddr times, int flags) {
    if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0) return Error(EINVAL);
    NewTimes wanted = kBothNow;
    if (times != 0) wanted = TRY(UserIn<NewTimes>(times).read());
    // futimens(3): without a path the descriptor itself.
    InodeRef inode = path == 0 ? TRY(inode_of(dirfd)) : TRY(inode_at(dirfd, path, flags));
    return change_times(*inode, wanted);
}

Result<void> sys_truncate(VirtAddr path, int64_t size) {
    if (size < 0) return Error(EINVAL);
    InodeRef inode = TRY(inode_at(AT_FDCWD, path, 0));
    if (inode->is_directory()) return Error(EISDIR);
    return inode->truncate(static_cast<uint64_t>(size));
}
