// The path walk (POSIX XBD 4.13): from a path to an inode, one component at a time; and the
// way back from a directory to its path. Mounts: which file system lies where.
//
// The walk holds a reference of the directory where it stands and the Mutex of that
// directory only while it looks one name up. So it never holds two locks, and whatever
// renames happen meanwhile it sees each directory in a state that it really had.
//
// Symlinks do not recurse: the target is put in front of what is left to walk
// (PathExpansion, in a page taken at the first link), and the walk goes on with that
// text.
//
// A mount is for good. It shows in two pointers, so that the walk needs no lookup:
// Inode::mounted leads down from the covered directory, FileSystem::covered leads back
// up. Both are written once, at boot, before user programs run.
#include <cstring>
#include <iterator>
#include <optional>

#include "kernel/fs/vfs.h"

SpinLock vfs_tree_lock{LockRank::Mount};

namespace {

Mount mounts[16];
uint32_t mount_count = 0;  // grows at boot only
Inode* root_inode = nullptr;

void add_mount(FileSystem& file_system, std::string_view path) {
    if (mount_count == std::size(mounts)) panic("too many mounts");
    mounts[mount_count++] = {&file_system, path};
    file_system.device = mount_count;
    file_system.root()->ref();
}

TimeSpec (*clock_source)();

// Puts the target of `link` in front of `rest`.
Result<std::string_view> expand(PathExpansion& expansion, Inode& link, std::string_view rest) {
    std::span<char> room = TRY(expansion.room(rest));
    size_t length = TRY(link.read_link(room.data(), room.size()));
    if (length >= room.size()) return Error(ENAMETOOLONG);  // perhaps cut short
    if (length == 0) return Error(ENOENT);
    return expansion.commit(length);
}

// "..": at the root of the process it stays there, at the root of a mount it leaves it.
Result<InodeRef> step_up(const Inode* root, Inode* directory) {
    if (directory == root) return new_ref(directory);
    while (directory == directory->file_system->root() &&
           directory->file_system->covered != nullptr)
        directory = directory->file_system->covered;
    SpinGuard guard(vfs_tree_lock);
    Inode* parent = directory->parent();
    if (parent == nullptr) return Error(ENOENT);  // the directory was removed
    return new_ref(parent);
}

// `fresh` null: the name has to be there.
Result<InodeRef> step_down(Inode& directory, std::string_view name, NewFile* fresh) {
    InodeRef child;
    {
        MutexGuard guard(directory.mutex);
        auto found = directory.lookup(name);
        if (found.ok()) {
            child.reset(found.value());
        } else {
            if (fresh == nullptr || found.error().number() != ENOENT) return found.error();
            child.reset(TRY(directory.create(name, fresh->mode, 0, {})));
            fresh->made = true;
        }
    }
    while (child->mounted != nullptr) [[unlikely]]
        child = new_ref(child->mounted);
    return child;
}

}  // namespace

Result<Inode*> vfs_walk(const WalkContext& start, uint32_t flags, NewFile* fresh) {
    if (start.path.empty()) return Error(ENOENT);
    ScratchPage page;  // of the expansion, which most walks do not need
    std::optional<PathExpansion> expansion;
    int links = 0;
    bool trailing_slash = false;
    InodeRef at = new_ref(start.path[0] == '/' ? start.root : start.directory);
    PathCursor cursor(start.path);
    for (;;) {
        std::string_view name = TRY(cursor.next());
        if (name.empty()) break;
        trailing_slash = cursor.trailing_slash();
        if (!at->is_directory()) return Error(ENOTDIR);
        if (name[0] == '.' && name.size() <= 2 && name.back() == '.') [[unlikely]] {
            if (name.size() == 2) at = TRY(step_up(start.root, at.get()));
            continue;
        }
        bool last = fresh != nullptr && cursor.rest().find_first_not_of('/') == name.npos;
        if (last && trailing_slash) return Error(EISDIR);
        InodeRef child = TRY(step_down(*at, name, last ? fresh : nullptr));
        if (child->type() != S_IFLNK || (!trailing_slash && (flags & kNoFollow) != 0)) {
            at = std::move(child);
            continue;
        }
        if (++links > kMaxSymlinks) return Error(ELOOP);
        if (Inode* target = TRY(child->link_target())) {
            at.reset(target);
            continue;
        }
        if (!expansion) expansion.emplace(std::span(TRY(page.get()), kMaxPath));
        std::string_view pending = TRY(expand(*expansion, *child, cursor.rest()));
        if (pending[0] == '/') at = new_ref(start.root);
        cursor = PathCursor(pending);
    }
    bool want_directory = trailing_slash || (flags & kWantDirectory) != 0;
    if (want_directory && !at->is_directory()) return Error(ENOTDIR);
    return at.release();
}

// ---- Mounts ----

void FileSystem::set_root(Inode* root) {
    root_ = root;
    root->file_system = this;
}

void vfs_set_root(FileSystem& file_system) {
    add_mount(file_system, "/");
    root_inode = file_system.root();
}

Inode* vfs_root() { return root_inode; }

Result<void> vfs_mount(std::string_view path, FileSystem& file_system) {
    InodeRef directory(TRY(vfs_walk({root_inode, root_inode, path}, kWantDirectory)));
    add_mount(file_system, path);
    file_system.covered = directory.get();
    directory.release()->mounted = file_system.root();  // the mount keeps the reference
    return {};
}

std::span<const Mount> vfs_mounts() { return {mounts, mount_count}; }

Result<size_t> vfs_path_of(Inode* root, Inode* directory, char* out, size_t size) {
    // From the leaf up, so the text grows from the end of the buffer to its start.
    size_t start = size;
    SpinGuard guard(vfs_tree_lock);
    while (directory != root) {
        if (directory == directory->file_system->root()) {
            directory = directory->file_system->covered;
            if (directory == nullptr) break;
            continue;
        }
        char name[kMaxName];
        size_t length = directory->name_in_parent(name, sizeof name);
        Inode* parent = directory->parent();
        if (length == 0 || parent == nullptr) return Error(ENOENT);
        if (start < length + 1) return Error(ERANGE);
        start -= length;
        memcpy(out + start, name, length);
        out[--start] = '/';
        directory = parent;
    }
    if (start == size) out[--start] = '/';
    memmove(out, out + start, size - start);
    return size - start;
}

TimeSpec vfs_now() { return clock_source(); }
void vfs_set_clock(TimeSpec (*now)()) { clock_source = now; }
