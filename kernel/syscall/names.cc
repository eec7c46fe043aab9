// System calls on names: open, make, remove, rename, link. The work is the VFS's
// (kernel/fs); here paths come in from user memory and start where the process says.
#include <algorithm>

#include "kernel/syscall/calls.h"
#include "kernel/syscall/path_argument.h"

// ---- open ----

Result<int> sys_openat(int dirfd, VirtAddr path, uint32_t flags, uint32_t mode) {
    UserPath name;
    TRY(name.read_at(dirfd, path));
    FileRef file(TRY(vfs_open(name.context(), name.text(), flags, mode)));
    return current_process().files->add(std::move(file), (flags & O_CLOEXEC) != 0);
}

// ---- make ----

Result<void> sys_mkdirat(int dirfd, VirtAddr path, uint32_t mode) {
    UserPath name;
    TRY(name.read_at(dirfd, path));
    return vfs_make(name.context(), name.text(), S_IFDIR | (mode & 01777));
}

Result<void> sys_mknodat(int dirfd, VirtAddr path, uint32_t mode) {
    // FIFOs and files; device nodes are the kernel's to make.
    uint32_t type = (mode & S_IFMT) == 0 ? S_IFREG : mode & S_IFMT;
    if (type != S_IFREG && type != S_IFIFO) return Error(EPERM);
    UserPath name;
    TRY(name.read_at(dirfd, path));
    return vfs_make(name.context(), name.text(), type | (mode & 07777));
}

Result<void> sys_symlinkat(VirtAddr target, int dirfd, VirtAddr path) {
    UserPath text, name;
    TRY(text.read(target));
    TRY(name.read_at(dirfd, path));
    if (text.text().empty()) return Error(ENOENT);
    return vfs_make(name.context(), name.text(), S_IFLNK | 0777, 0, text.text());
}

Result<void> sys_linkat(int from_fd, VirtAddr from, int to_fd, VirtAddr to, int flags) {
    if ((flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) != 0) return Error(EINVAL);
    UserPath from_name, to_name;
    TRY(from_name.read_at(from_fd, from));
    TRY(to_name.read_at(to_fd, to));
    return vfs_link(from_name.context(), from_name.text(), to_name.context(),
                    to_name.text(), (flags & AT_SYMLINK_FOLLOW) != 0);
}

// ---- remove ----

Result<void> sys_unlinkat(int dirfd, VirtAddr path, int flags) {
    if ((flags & ~AT_REMOVEDIR) != 0) return Error(EINVAL);
    UserPath name;
    TRY(name.read_at(dirfd, path));
    return vfs_unlink(name.context(), name.text(), (flags & AT_REMOVEDIR) != 0);
}

// ---- rename ----

Result<void> sys_renameat2(int from_fd, VirtAddr from, int to_fd, VirtAddr to,
                           uint32_t flags) {
    if ((flags & ~RENAME_NOREPLACE) != 0) return Error(EINVAL);
    UserPath from_name, to_name;
    TRY(from_name.read_at(from_fd, from));
    TRY(to_name.read_at(to_fd, to));
    return vfs_rename(from_name.context(), from_name.text(), to_name.context(),
                    to_name.text(), (flags & RENAME_NOREPLACE) != 0);
}

// ---- readlink ----

Result<size_t> sys_readlinkat(int dirfd, VirtAddr path, VirtAddr out, uint64_t size) {
    if (static_cast<int64_t>(size) <= 0) return Error(EINVAL);
    // An empty path is a descriptor, but not the working directory.
    int empty = dirfd == AT_FDCWD ? 0 : AT_EMPTY_PATH;
    InodeRef link = TRY(inode_at(dirfd, path, AT_SYMLINK_NOFOLLOW | empty));
    if (link->type() != S_IFLNK) return Error(EINVAL);
    ScratchPage page;
    char* text = TRY(page.get());
    size_t length = std::min(TRY(link->read_link(text, kMaxPath)), size);
    TRY(copy_to_user(out, text, length));
    return length;
}
