// open(2): find or create, make a File.
#include "kernel/fs/vfs.h"

namespace {

// Of these flags only open itself takes notice; F_GETFL does not show them.
constexpr uint32_t kOpenOnly = O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC;

Result<File*> open_inode(Inode& inode, uint32_t flags, bool created) {
    if ((flags & O_DIRECTORY) && !inode.is_directory()) return Error(ENOTDIR);
    if (inode.type() == S_IFLNK) return Error(ELOOP);
    if (inode.type() == S_IFSOCK) return Error(ENXIO);
    bool changes = (flags & O_ACCMODE) != O_RDONLY || (flags & (O_TRUNC | O_CREAT)) != 0;
    if (inode.is_directory() && changes) return Error(EISDIR);
    FileRef file(TRY(inode.open(flags)));
    file->flags = flags & ~kOpenOnly;
    if ((flags & O_TRUNC) && inode.type() == S_IFREG && !created) TRY(inode.truncate(0));
    return file.release();
}

// Finds `name` in `parent` or creates it there, atomically.
Result<InodeRef> find_or_create(const WalkContext& context, Inode& parent,
                              std::string_view name, uint32_t flags, uint32_t mode,
                              bool& created) {
    MutexGuard guard(parent.mutex);
    InodeRef found = TRY(vfs_find(parent, name));
    if (found && (flags & O_EXCL) != 0) return Error(EEXIST);
    if (found) return found;
    created = true;
    return InodeRef(
        TRY(parent.create(name, S_IFREG | (mode & 07777 & ~context.umask), 0, {})));
}

Result<File*> open_creating(WalkContext context, std::string_view path, uint32_t flags,
                            uint32_t mode) {
    ScratchPage page;  // the text of a symlink as last component; the walk goes on from it
    InodeRef start;    // keeps context.directory
    for (int links = 0; links <= kMaxSymlinks; links++) {
        WalkParent at = TRY(vfs_walk_parent(context, path));
        if (at.trailing_slash || at.is_special()) return Error(EISDIR);
        bool created = false;
        InodeRef inode =
            TRY(find_or_create(context, *at.parent, at.name, flags, mode, created));
        if (inode->type() != S_IFLNK || (flags & O_NOFOLLOW))
            return open_inode(*inode, flags, created);
        if (Inode* target = TRY(inode->link_target())) {
            InodeRef direct(target);
            return open_inode(*direct, flags, false);
        }
        char* text = TRY(page.get());
        path = {text, TRY(inode->read_link(text, kMaxPath))};
        start = std::move(at.parent);
        context.directory = start.get();
    }
    return Error(ELOOP);
}

}  // namespace

Result<File*> vfs_open(const WalkContext& context, std::string_view path, uint32_t flags,
                       uint32_t mode) {
    if ((flags & O_ACCMODE) == O_ACCMODE) return Error(EINVAL);
    if ((flags & O_TMPFILE) == O_TMPFILE) return Error(EOPNOTSUPP);
    if (flags & O_CREAT) {
        if (flags & O_DIRECTORY) return Error(EINVAL);
        return open_creating(context, path, flags, mode);
    }
    uint32_t walk = (flags & O_NOFOLLOW) ? kNoFollow : kFollow;
    InodeRef inode(TRY(vfs_walk(context, path, walk)));
    return open_inode(*inode, flags, false);
}
