// The path walk (POSIX XBD 4.13): from a path to an inode, one component at a time.
//
// The walk holds a reference of the directory where it stands and the Mutex of that
// directory only while it looks one name up. So it never holds two locks, and whatever
// renames happen meanwhile it sees each directory in a state that it really had.
//
// Symlinks do not recurse: the target is put in front of what is left to walk
// (PathExpansion, in a page taken at the first link), and the walk goes on with that
// text.
#include <utility>

#include "kernel/fs/vfs.h"

namespace {

// Symlinks met on the way; most walks need no page for them.
class Expansion {
  public:
    // Puts the target of `link` in front of `rest`.
    Result<std::string_view> expand(Inode& link, std::string_view rest) {
        if (!std::exchange(begun_, true))
            expansion_ = PathExpansion({TRY(page_.get()), kMaxPath});
        std::span<char> room = TRY(expansion_.room(rest));
        size_t length = TRY(link.read_link(room.data(), room.size()));
        if (length >= room.size()) return Error(ENAMETOOLONG);  // perhaps cut short
        if (length == 0) return Error(ENOENT);
        return expansion_.commit(length);
    }

  private:
    ScratchPage page_;
    PathExpansion expansion_{{}};
    bool begun_ = false;
};

// "..": at the root of the process it stays there, at the root of a mount it leaves it.
Result<InodeRef> step_up(const WalkContext& context, Inode* directory) {
    if (directory == context.root) return new_ref(directory);
    while (directory == directory->file_system->root() &&
           directory->file_system->covered != nullptr)
        directory = directory->file_system->covered;
    SpinGuard guard(vfs_tree_lock);
    Inode* parent = directory->parent();
    if (parent == nullptr) return Error(ENOENT);  // the directory was removed
    return new_ref(parent);
}

Result<InodeRef> step_down(Inode& directory, std::string_view name) {
    InodeRef child;
    {
        MutexGuard guard(directory.mutex);
        child.reset(TRY(directory.lookup(name)));
    }
    while (child->mounted != nullptr) [[unlikely]]
        child = new_ref(child->mounted);
    return child;
}

}  // namespace

Result<Inode*> vfs_walk(const WalkContext& context, std::string_view path,
                        uint32_t flags) {
    if (path.empty()) return Error(ENOENT);
    Expansion expansion;
    int links = 0;
    bool trailing_slash = false;
    InodeRef at = new_ref(path[0] == '/' ? context.root : context.directory);
    PathCursor cursor(path);
    for (;;) {
        std::string_view name = TRY(cursor.next());
        if (name.empty()) break;
        trailing_slash = cursor.trailing_slash();
        if (!at->is_directory()) return Error(ENOTDIR);
        if (name[0] == '.' && name.size() <= 2 && name.back() == '.') [[unlikely]] {
            if (name.size() == 2) at = TRY(step_up(context, at.get()));
            continue;
        }
        InodeRef child = TRY(step_down(*at, name));
        if (child->type() != S_IFLNK || (!trailing_slash && (flags & kNoFollow) != 0)) {
            at = std::move(child);
            continue;
        }
        if (++links > kMaxSymlinks) return Error(ELOOP);
        if (Inode* target = TRY(child->link_target())) {
            at.reset(target);
            continue;
        }
        std::string_view pending = TRY(expansion.expand(*child, cursor.rest()));
        if (pending[0] == '/') at = new_ref(context.root);
        cursor = PathCursor(pending);
    }
    bool want_directory = trailing_slash || (flags & kWantDirectory) != 0;
    if (want_directory && !at->is_directory()) return Error(ENOTDIR);
    return at.release();
}

Result<WalkParent> vfs_walk_parent(const WalkContext& context, std::string_view path) {
    if (path.empty()) return Error(ENOENT);
    PathSplit split = path_split(path);
    if (split.name.size() > kMaxName) return Error(ENAMETOOLONG);
    InodeRef parent(TRY(vfs_walk(context, split.parent, kFollow | kWantDirectory)));
    return WalkParent{std::move(parent), split.name, split.trailing_slash};
}
