// Making and removing names: mknod, mkdir, symlink, link, unlink, rmdir.
#include "kernel/fs/vfs.h"

Result<InodeRef> vfs_find(Inode& directory, std::string_view name) {
    auto found = directory.lookup(name);
    if (!found.ok() && found.error().number() != ENOENT) return found.error();
    return InodeRef(found.ok() ? found.value() : nullptr);
}

Result<void> vfs_make(const WalkContext& context, std::string_view path, uint32_t mode,
                      uint64_t device, std::string_view target) {
    WalkParent at = TRY(vfs_walk_parent(context, path));
    if (at.is_special()) return Error(EEXIST);
    MutexGuard guard(at.parent->mutex);
    if (TRY(vfs_find(*at.parent, at.name))) return Error(EEXIST);
    if (at.trailing_slash && (mode & S_IFMT) != S_IFDIR) return Error(ENOENT);
    if ((mode & S_IFMT) != S_IFLNK) mode &= ~context.umask;
    InodeRef made(TRY(at.parent->create(at.name, mode, device, target)));
    return {};
}

Result<void> vfs_link(const WalkContext& from_context, std::string_view from,
                      const WalkContext& to_context, std::string_view to, bool follow) {
    InodeRef inode(TRY(vfs_walk(from_context, from, follow ? kFollow : kNoFollow)));
    WalkParent at = TRY(vfs_walk_parent(to_context, to));
    if (at.is_special()) return Error(EEXIST);
    if (inode->is_directory()) return Error(EPERM);
    if (inode->file_system != at.parent->file_system) return Error(EXDEV);
    MutexGuard guard(at.parent->mutex);
    if (TRY(vfs_find(*at.parent, at.name))) return Error(EEXIST);
    if (at.trailing_slash) return Error(ENOENT);
    return at.parent->link(at.name, *inode);
}

Result<void> vfs_unlink(const WalkContext& context, std::string_view path,
                        bool directory) {
    WalkParent at = TRY(vfs_walk_parent(context, path));
    if (at.name == "." && directory) return Error(EINVAL);
    if (at.name == ".." && directory) return Error(ENOTEMPTY);
    if (at.is_special()) return Error(directory ? EBUSY : EISDIR);
    InodeRef inode;  // dropped after the Mutex: the last reference frees a file's pages
    MutexGuard guard(at.parent->mutex);
    inode.reset(TRY(at.parent->lookup(at.name)));
    if (at.trailing_slash && !inode->is_directory()) return Error(ENOTDIR);
    if (directory && !inode->is_directory()) return Error(ENOTDIR);
    if (!directory && inode->is_directory()) return Error(EISDIR);
    if (inode->mounted != nullptr) return Error(EBUSY);
    return at.parent->unlink(at.name, *inode);
}
