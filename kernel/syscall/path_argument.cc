#include "kernel/syscall/path_argument.h"

#include "kernel/mm/user_access.h"

Result<void> UserPath::read(VirtAddr address) {
    auto length = copy_string_from_user(short_, address, sizeof short_);
    if (length.ok()) {
        text_ = {short_, length.value()};
        return {};
    }
    if (length.error().number() != ENAMETOOLONG) return length.error();
    char* page = TRY(long_.get());
    text_ = {page, TRY(copy_string_from_user(page, address, kMaxPath))};
    return {};
}

Result<void> UserPath::start_at(int dirfd) {
    walk_.emplace(TRY(ProcessWalk::at(dirfd, text_.starts_with('/'))));
    return {};
}

Result<InodeRef> inode_of(int fd) {
    FileRef file = TRY(current_process().files->get(fd));
    file->inode->ref();
    return InodeRef(file->inode);
}

Result<InodeRef> inode_at(int dirfd, VirtAddr path, int flags) {
    UserPath name;
    TRY(name.read(path));
    if (name.text().empty() && (flags & AT_EMPTY_PATH) == 0) return Error(ENOENT);
    if (name.text().empty() && dirfd != AT_FDCWD) return inode_of(dirfd);
    TRY(name.start_at(dirfd));
    uint32_t walk_flags = (flags & AT_SYMLINK_NOFOLLOW) ? kNoFollow : kFollow;
    std::string_view text = name.text().empty() ? "." : name.text();
    return InodeRef(TRY(vfs_walk(name.context(), text, walk_flags)));
}
