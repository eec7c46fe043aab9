// rename(2). Two directories may change at once, and a directory may move: the one
// operation that needs more than one lock.
//
// Lock order: rename_mutex when the directories differ, so that the tree above them holds
// still and "into its own subtree" can be decided; then both directories' Mutexes.
// Everyone else holds one directory at a time, so whoever holds the first of the pair waits
// for nobody who could wait for it, and no order between directories is needed.
#include <optional>

#include "kernel/fs/vfs.h"

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
    if (replaced.is_directory()) {
        if (!moved.is_directory()) return Error(EISDIR);
        if (is_ancestor(&replaced, from.parent.get())) return Error(ENOTEMPTY);
    } else if (moved.is_directory()) {
        return Error(ENOTDIR);
    }
    return replaced.mounted != nullptr ? Result<void>(Error(EBUSY)) : Result<void>();
}

// `replaced` outlives the locks: its last reference may go with it.
Result<void> rename_locked(const WalkParent& from, const WalkParent& to, bool no_replace,
                           InodeRef& replaced) {
    InodeRef moved(TRY(from.parent->lookup(from.name)));
    replaced = TRY(vfs_find(*to.parent, to.name));
    if (!moved->is_directory() && (from.trailing_slash || to.trailing_slash))
        return Error(ENOTDIR);
    if (replaced && no_replace) return Error(EEXIST);
    if (moved->mounted != nullptr) return Error(EBUSY);
    if (replaced.get() == moved.get())
        return {};  // two links of one file: nothing happens
    if (moved->is_directory() && is_ancestor(moved.get(), to.parent.get()))
        return Error(EINVAL);
    if (replaced) TRY(check_replaced(from, *moved, *replaced));
    return from.parent->rename(from.name, *moved, *to.parent, to.name, replaced.get());
}

Result<WalkParent> find_place(const WalkContext& context, std::string_view path) {
    WalkParent at = TRY(vfs_walk_parent(context, path));
    if (at.is_special()) return Error(EBUSY);
    return at;
}

}  // namespace

Result<void> vfs_rename(const WalkContext& from_context, std::string_view from_path,
                        const WalkContext& to_context, std::string_view to_path,
                        bool no_replace) {
    WalkParent from = TRY(find_place(from_context, from_path));
    WalkParent to = TRY(find_place(to_context, to_path));
    if (from.parent->file_system != to.parent->file_system) return Error(EXDEV);
    InodeRef replaced;
    std::optional<MutexGuard> rename, second;
    bool apart = from.parent.get() != to.parent.get();
    if (apart) rename.emplace(rename_mutex);
    MutexGuard first(from.parent->mutex);
    if (apart) second.emplace(to.parent->mutex);
    return rename_locked(from, to, no_replace, replaced);
}
