// Names: open(2), mknod, mkdir, symlink, link, unlink, rmdir, rename.
//
// rename(2): two directories may change at once, and a directory may move: the one
// operation that needs more than one lock. Lock order: rename_mutex when the directories
// differ, so that the tree above them holds still and "into its own subtree" can be
// decided; then both directories' Mutexes. Everyone else holds one directory at a time, so
// whoever holds the first of the pair waits for nobody who could wait for it, and no order
// between directories is needed.
#include <optional>

#include "kernel/fs/vfs.h"

namespace {

// All but the last component resolved: the directory, and that component within the path,
// without trailing slashes.
struct WalkParent {
    InodeRef parent;
    std::string_view name;
    bool trailing_slash;
    // "/", "." or "..": a directory that has its name elsewhere.
    bool is_special() const { return name.empty() || name == "." || name == ".."; }
};

Result<WalkParent> walk_parent(WalkContext context) {
    if (context.path.empty()) return Error(ENOENT);
    PathSplit split = path_split(context.path);
    if (split.name.size() > kMaxName) return Error(ENAMETOOLONG);
    context.path = split.parent;
    InodeRef parent(TRY(vfs_walk(context, kFollow | kWantDirectory)));
    return WalkParent{std::move(parent), split.name, split.trailing_slash};
}

// The inode of that name; an empty Ref when there is none. The directory's Mutex is held.
Result<InodeRef> find(Inode& directory, std::string_view name) {
    auto found = directory.lookup(name);
    if (!found.ok() && found.error().number() != ENOENT) return found.error();
    return InodeRef(found.ok() ? found.value() : nullptr);
}

}  // namespace

Result<File*> vfs_open(const WalkContext& context, uint32_t flags, uint32_t mode) {
    // Of these flags only open itself takes notice; F_GETFL does not show them.
    constexpr uint32_t kOpenOnly = O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC;
    if ((flags & O_ACCMODE) == O_ACCMODE) return Error(EINVAL);
    if ((flags & O_TMPFILE) == O_TMPFILE) return Error(EOPNOTSUPP);
    bool creates = (flags & O_CREAT) != 0, exclusive = creates && (flags & O_EXCL) != 0;
    if (creates && (flags & O_DIRECTORY) != 0) return Error(EINVAL);
    NewFile fresh = {S_IFREG | (mode & 07777 & ~context.umask)};
    uint32_t walk = exclusive || (flags & O_NOFOLLOW) != 0 ? kNoFollow : kFollow;
    InodeRef inode(TRY(vfs_walk(context, walk, creates ? &fresh : nullptr)));
    if (exclusive && !fresh.made) return Error(EEXIST);
    if ((flags & O_DIRECTORY) && !inode->is_directory()) return Error(ENOTDIR);
    if (inode->type() == S_IFLNK) return Error(ELOOP);
    if (inode->type() == S_IFSOCK) return Error(ENXIO);
    bool changes = (flags & O_ACCMODE) != O_RDONLY || (flags & (O_TRUNC | O_CREAT)) != 0;
    if (inode->is_directory() && changes) return Error(EISDIR);
    FileRef file(TRY(inode->open(flags)));
    file->flags = flags & ~kOpenOnly;
    if ((flags & O_TRUNC) && inode->type() == S_IFREG && !fresh.made) TRY(inode->truncate(0));
    return file.release();
}

Result<void> vfs_make(const WalkContext& context, uint32_t mode, uint64_t device,
                      std::string_view target) {
    WalkParent at = TRY(walk_parent(context));
    if (at.is_special()) return Error(EEXIST);
    MutexGuard guard(at.parent->mutex);
    if (TRY(find(*at.parent, at.name))) return Error(EEXIST);
    if (at.trailing_slash && (mode & S_IFMT) != S_IFDIR) return Error(ENOENT);
    if ((mode & S_IFMT) != S_IFLNK) mode &= ~context.umask;
    InodeRef made(TRY(at.parent->create(at.name, mode, device, target)));
    return {};
}

Result<void> vfs_link(const WalkContext& from, const WalkContext& to, bool follow) {
    InodeRef inode(TRY(vfs_walk(from, follow ? kFollow : kNoFollow)));
    WalkParent at = TRY(walk_parent(to));
    if (at.is_special()) return Error(EEXIST);
    if (inode->is_directory()) return Error(EPERM);
    if (inode->file_system != at.parent->file_system) return Error(EXDEV);
    MutexGuard guard(at.parent->mutex);
    if (TRY(find(*at.parent, at.name))) return Error(EEXIST);
    if (at.trailing_slash) return Error(ENOENT);
    return at.parent->link(at.name, *inode);
}

Result<void> vfs_unlink(const WalkContext& context, bool directory) {
    WalkParent at = TRY(walk_parent(context));
    if (at.name == "." && directory) return Error(EINVAL);
    if (at.name == ".." && directory) return Error(ENOTEMPTY);
    if (at.is_special()) return Error(directory ? EBUSY : EISDIR);
    InodeRef inode;  // dropped after the Mutex: the last reference frees a file's pages
    MutexGuard guard(at.parent->mutex);
    inode.reset(TRY(at.parent->lookup(at.name)));
    if ((directory || at.trailing_slash) && !inode->is_directory()) return Error(ENOTDIR);
    if (!directory && inode->is_directory()) return Error(EISDIR);
    if (inode->mounted != nullptr) return Error(EBUSY);
    return at.parent->unlink(at.name, *inode);
}

// ---- rename ----

namespace {

Mutex rename_mutex{LockRank::Rename};

// Is `directory` the same as `below` or above it?
bool is_ancestor(Inode* directory, Inode* below) {
    SpinGuard guard(vfs_tree_lock);
    for (Inode* at = below; at != nullptr; at = at->parent()) {
        if (at == directory) return true;
        if (at == at->file_system->root()) return false;
    }
    return false;
}

Result<void> check_replaced(const WalkParent& from, Inode& moved, Inode& replaced) {
    if (replaced.is_directory() != moved.is_directory())
        return Error(replaced.is_directory() ? EISDIR : ENOTDIR);
    if (is_ancestor(&replaced, from.parent.get())) return Error(ENOTEMPTY);
    return replaced.mounted != nullptr ? Result<void>(Error(EBUSY)) : Result<void>();
}

// `replaced` outlives the locks: its last reference may go with it.
Result<void> rename_locked(const WalkParent& from, const WalkParent& to, bool no_replace,
                           InodeRef& replaced) {
    InodeRef moved(TRY(from.parent->lookup(from.name)));
    replaced = TRY(find(*to.parent, to.name));
    if (!moved->is_directory() && (from.trailing_slash || to.trailing_slash))
        return Error(ENOTDIR);
    if (replaced && no_replace) return Error(EEXIST);
    if (moved->mounted != nullptr) return Error(EBUSY);
    // Two links of one file: nothing happens.
    if (replaced.get() == moved.get()) return {};
    if (moved->is_directory() && is_ancestor(moved.get(), to.parent.get()))
        return Error(EINVAL);
    if (replaced) TRY(check_replaced(from, *moved, *replaced));
    return from.parent->rename(from.name, *moved, *to.parent, to.name, replaced.get());
}

}  // namespace

Result<void> vfs_rename(const WalkContext& old_place, const WalkContext& new_place,
                        bool no_replace) {
    WalkParent from = TRY(walk_parent(old_place));
    WalkParent to = TRY(walk_parent(new_place));
    if (from.is_special() || to.is_special()) return Error(EBUSY);
    if (from.parent->file_system != to.parent->file_system) return Error(EXDEV);
    InodeRef replaced;
    std::optional<MutexGuard> rename, second;
    bool apart = from.parent.get() != to.parent.get();
    if (apart) rename.emplace(rename_mutex);
    MutexGuard first(from.parent->mutex);
    if (apart) second.emplace(to.parent->mutex);
    return rename_locked(from, to, no_replace, replaced);
}
