// System calls that ask about files: the stat family, statfs, access.
#include <algorithm>
#include <sys/statfs.h>

#include "kernel/syscall/calls.h"
#include "kernel/syscall/path_argument.h"

namespace {

constexpr uint64_t kAnonymousDevice = 0xf;  // st_dev of what is in no file system: pipes

Result<void> write_stat(Inode& inode, VirtAddr out) {
    Attributes a = inode.stat();
    struct stat stat = {};
    stat.st_dev = inode.file_system ? inode.file_system->device : kAnonymousDevice;
    stat.st_ino = inode.number;
    stat.st_nlink = a.links;
    stat.st_mode = a.mode;
    stat.st_uid = a.uid;
    stat.st_gid = a.gid;
    stat.st_rdev = a.device;
    stat.st_size = static_cast<int64_t>(a.size);
    stat.st_blksize = kPageSize;
    stat.st_blocks = static_cast<int64_t>(a.blocks);
    stat.st_atim = {a.accessed.seconds, a.accessed.nanoseconds};
    stat.st_mtim = {a.modified.seconds, a.modified.nanoseconds};
    stat.st_ctim = {a.changed.seconds, a.changed.nanoseconds};
    return copy_to_user(out, &stat, sizeof stat);
}

Result<void> write_statfs(Inode& inode, VirtAddr out) {
    constexpr uint64_t kPipeMagic = 0x50495045;  // PIPEFS_MAGIC
    struct statfs statfs = {};
    statfs.f_type = kPipeMagic;
    statfs.f_bsize = statfs.f_frsize = kPageSize;
    statfs.f_namelen = kMaxName;
    if (FileSystem* fs = inode.file_system) {
        SpaceUse space = fs->space();
        statfs.f_type = fs->magic;
        statfs.f_blocks = space.pages;
        statfs.f_bfree = statfs.f_bavail = space.free_pages;
        statfs.f_fsid.__val[0] = static_cast<int32_t>(fs->device);
    }
    return copy_to_user(out, &statfs, sizeof statfs);
}

}  // namespace

Result<void> sys_newfstatat(int dirfd, VirtAddr path, VirtAddr out, int flags) {
    constexpr int kNoAutomount = 0x800;
    if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | kNoAutomount)) != 0)
        return Error(EINVAL);
    return write_stat(*TRY(inode_at(dirfd, path, flags)), out);
}

Result<void> sys_fstat(int fd, VirtAddr out) {
    return write_stat(*TRY(inode_of(fd)), out);
}

Result<void> sys_statfs(VirtAddr path, VirtAddr out) {
    return write_statfs(*TRY(inode_at(AT_FDCWD, path, 0)), out);
}

Result<void> sys_fstatfs(int fd, VirtAddr out) {
    return write_statfs(*TRY(inode_of(fd)), out);
}

Result<void> sys_faccessat2(int dirfd, VirtAddr path, uint32_t mode, int flags) {
    constexpr int kKnown = AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH;
    if ((mode & ~7u) != 0 || (flags & ~kKnown) != 0) return Error(EINVAL);
    InodeRef inode = TRY(inode_at(dirfd, path, flags));
    // Root may do everything, but execute only what somebody may execute.
    return (mode & X_OK) == 0 || inode->executable() ? Result<void>{} : Error(EACCES);
}
