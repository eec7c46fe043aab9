// Mounts: which file system lies where; the way back from a directory to its path; the
// clock for time stamps.
//
// A mount is for good. It shows in two pointers, so that the path walk needs no lookup:
// Inode::mounted leads down from the covered directory, FileSystem::covered leads back
// up. Both are written once, at boot, before user programs run.
#include <cstring>
#include <iterator>

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

}  // namespace

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
    WalkContext context{root_inode, root_inode};
    InodeRef directory(TRY(vfs_walk(context, path, kWantDirectory)));
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
    if (start == size) {
        if (size == 0) return Error(ERANGE);
        out[--start] = '/';
    }
    memmove(out, out + start, size - start);
    return size - start;
}

TimeSpec vfs_now() { return clock_source(); }
void vfs_set_clock(TimeSpec (*now)()) { clock_source = now; }
