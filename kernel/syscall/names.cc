// System calls on names: open, make, remove, rename, link. The work is the VFS's
// (kernel/fs); here paths come in from user memory and start where the process says.
#include "kernel/mm/user_access.h"
#include "kernel/syscall/calls.h"
#include "kernel/syscall/path_argument.h"

// ---- open ----

Result<int> sys_openat(int dirfd, VirtAddr path, uint32_t flags, uint32_t mode) {
    UserPath name;
    TRY(name.read(path));
    ProcessWalk walk = TRY(ProcessWalk::at(dirfd, name.absolute()));
    FileRef file(TRY(vfs_open(walk.context(), name.text(), flags, mode)));
    int fd = TRY(current_process().files->add(file.get(), (flags & O_CLOEXEC) != 0));
    (void)file.release();
    return fd;
}

Result<int> sys_open(VirtAddr path, uint32_t flags, uint32_t mode) {
    return sys_openat(AT_FDCWD, path, flags, mode);
}

Result<int> sys_creat(VirtAddr path, uint32_t mode) {
    return sys_openat(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

// ---- make ----

Result<void> sys_mkdirat(int dirfd, VirtAddr path, uint32_t mode) {
    UserPath name;
    TRY(name.read(path));
    ProcessWalk walk = TRY(ProcessWalk::at(dirfd, name.absolute()));
    return vfs_make_directory(walk.context(), name.text(), mode);
}

Result<void> sys_mkdir(VirtAddr path, uint32_t mode) {
    return sys_mkdirat(AT_FDCWD, path, mode);
}

Result<void> sys_mknodat(int dirfd, VirtAddr path, uint32_t mode, uint64_t device) {
    UserPath name;
    TRY(name.read(path));
    ProcessWalk walk = TRY(ProcessWalk::at(dirfd, name.absolute()));
    return vfs_make_node(walk.context(), name.text(), mode, device);
}

Result<void> sys_mknod(VirtAddr path, uint32_t mode, uint64_t device) {
    return sys_mknodat(AT_FDCWD, path, mode, device);
}

Result<void> sys_symlinkat(VirtAddr target, int dirfd, VirtAddr path) {
    UserPath text, name;
    TRY(text.read(target));
    TRY(name.read(path));
    ProcessWalk walk = TRY(ProcessWalk::at(dirfd, name.absolute()));
    return vfs_symlink(walk.context(), text.text(), name.text());
}

Result<void> sys_symlink(VirtAddr target, VirtAddr path) {
    return sys_symlinkat(target, AT_FDCWD, path);
}

Result<void> sys_linkat(int from_fd, VirtAddr from, int to_fd, VirtAddr to, int flags) {
    if ((flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) != 0) return Error(EINVAL);
    UserPath from_name, to_name;
    TRY(from_name.read(from));
    TRY(to_name.read(to));
    ProcessWalk from_walk = TRY(ProcessWalk::at(from_fd, from_name.absolute()));
    ProcessWalk to_walk = TRY(ProcessWalk::at(to_fd, to_name.absolute()));
    return vfs_link(from_walk.context(), from_name.text(), to_walk.context(),
                    to_name.text(), (flags & AT_SYMLINK_FOLLOW) != 0);
}

Result<void> sys_link(VirtAddr from, VirtAddr to) {
    return sys_linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

// ---- remove ----

Result<void> sys_unlinkat(int dirfd, VirtAddr path, int flags) {
    if ((flags & ~AT_REMOVEDIR) != 0) return Error(EINVAL);
    UserPath name;
    TRY(name.read(path));
    ProcessWalk walk = TRY(ProcessWalk::at(dirfd, name.absolute()));
    return vfs_unlink(walk.context(), name.text(), (flags & AT_REMOVEDIR) != 0);
}

Result<void> sys_unlink(VirtAddr path) { return sys_unlinkat(AT_FDCWD, path, 0); }
Result<void> sys_rmdir(VirtAddr path) {
    return sys_unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

// ---- rename ----

Result<void> sys_renameat2(int from_fd, VirtAddr from, int to_fd, VirtAddr to,
                           uint32_t flags) {
    if ((flags & ~RENAME_NOREPLACE) != 0) return Error(EINVAL);
    UserPath from_name, to_name;
    TRY(from_name.read(from));
    TRY(to_name.read(to));
    ProcessWalk from_walk = TRY(ProcessWalk::at(from_fd, from_name.absolute()));
    ProcessWalk to_walk = TRY(ProcessWalk::at(to_fd, to_name.absolute()));
    return vfs_rename(from_walk.context(), from_name.text(), to_walk.context(),
                      to_name.text(), (flags & RENAME_NOREPLACE) != 0);
}

Result<void> sys_renameat(int from_fd, VirtAddr from, int to_fd, VirtAddr to) {
    return sys_renameat2(from_fd, from, to_fd, to, 0);
}

Result<void> sys_rename(VirtAddr from, VirtAddr to) {
    return sys_renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

// ---- readlink ----

Result<size_t> sys_readlinkat(int dirfd, VirtAddr path, VirtAddr out, uint64_t size) {
    if (static_cast<int64_t>(size) <= 0) return Error(EINVAL);
    // An empty path is a descriptor of the link itself (O_PATH), but not the working
    // directory.
    int empty = dirfd == AT_FDCWD ? 0 : AT_EMPTY_PATH;
    InodeRef link = TRY(inode_at(dirfd, path, AT_SYMLINK_NOFOLLOW | empty));
    if (link->type() != S_IFLNK) return Error(EINVAL);
    ScratchPage page;
    char* text = TRY(page.get());
    size_t length = TRY(link->read_link(text, size < kMaxPath ? size : kMaxPath));
    TRY(copy_to_user(out, text, length));
    return length;
}

Result<size_t> sys_readlink(VirtAddr path, VirtAddr out, uint64_t size) {
    return sys_readlinkat(AT_FDCWD, path, out, size);
}
