// System calls on names: open, make, remove, rename, link, execute; what a file is and its
// attributes; the working directory. The work is the VFS's (kernel/fs); here paths come in
// from user memory, are copied once and then resolved for the calling process.
#include <algorithm>
#include <cstring>
#include <dirent.h>
#include <optional>
#include <sys/statfs.h>

#include "kernel/syscall/calls.h"

namespace {

// The kernel's copy of a path. Most are short and stay on the stack; others get a page.
class UserPath {
  public:
    // Copies it in; when relative it starts at `dirfd`, as in all ...at calls.
    UserPath(int dirfd, VirtAddr address) : dirfd_(dirfd), error_(read(address).error()) {}
    // EFAULT, ENAMETOOLONG.
    Result<std::string_view> text() const {
        if (error_.number() != 0) return error_;
        return text_;
    }
    // The path and where its walk starts, valid as long as the UserPath. EBADF, ENOTDIR.
    Result<WalkContext> place() {
        walk_.emplace(TRY(ProcessWalk::at(dirfd_, TRY(text()))));
        return walk_->context();
    }

  private:
    Result<void> read(VirtAddr address) {
        auto length = copy_string_from_user(short_, address, sizeof short_);
        if (length.ok()) text_ = {short_, length.value()};
        if (length.ok() || length.error().number() != ENAMETOOLONG) return length.error();
        char* page = TRY(long_.get());
        text_ = {page, TRY(copy_string_from_user(page, address, kMaxPath))};
        return {};
    }

    char short_[200];
    ScratchPage long_;
    std::string_view text_;
    std::optional<ProcessWalk> walk_;
    int dirfd_;
    Error error_;
};

Result<InodeRef> inode_of(int fd) {
    FileRef file = TRY(current_process().files->get(fd));
    return new_ref(file->inode);
}

// The inode that (dirfd, path) of an ...at call names. Of `flags` AT_SYMLINK_NOFOLLOW and
// AT_EMPTY_PATH count: with the latter an empty path, or none, means dirfd itself.
Result<InodeRef> inode_at(int dirfd, VirtAddr path, int flags) {
    if (path == 0 && (flags & AT_EMPTY_PATH) != 0) return inode_of(dirfd);
    UserPath name(dirfd, path);
    std::string_view text = TRY(name.text());
    if (text.empty() && (flags & AT_EMPTY_PATH) == 0) return Error(ENOENT);
    if (text.empty() && dirfd != AT_FDCWD) return inode_of(dirfd);
    WalkContext place = TRY(name.place());
    if (text.empty()) place.path = ".";
    return InodeRef(TRY(vfs_walk(place, (flags & AT_SYMLINK_NOFOLLOW) ? kNoFollow : kFollow)));
}

}  // namespace

// ---- Making and removing names ----

Result<int> sys_openat(int dirfd, VirtAddr path, uint32_t flags, uint32_t mode) {
    UserPath name(dirfd, path);
    FileRef file(TRY(vfs_open(TRY(name.place()), flags, mode)));
    return current_process().files->add(std::move(file), (flags & O_CLOEXEC) != 0);
}

Result<void> sys_mkdirat(int dirfd, VirtAddr path, uint32_t mode) {
    UserPath name(dirfd, path);
    return vfs_make(TRY(name.place()), S_IFDIR | (mode & 01777));
}

Result<void> sys_mknodat(int dirfd, VirtAddr path, uint32_t mode) {
    // FIFOs and files; device nodes are the kernel's to make.
    uint32_t type = (mode & S_IFMT) == 0 ? S_IFREG : mode & S_IFMT;
    if (type != S_IFREG && type != S_IFIFO) return Error(EPERM);
    UserPath name(dirfd, path);
    return vfs_make(TRY(name.place()), type | (mode & 07777));
}

Result<void> sys_symlinkat(VirtAddr target, int dirfd, VirtAddr path) {
    UserPath text(AT_FDCWD, target), name(dirfd, path);
    if (TRY(text.text()).empty()) return Error(ENOENT);
    return vfs_make(TRY(name.place()), S_IFLNK | 0777, 0, TRY(text.text()));
}

Result<void> sys_linkat(int from_fd, VirtAddr from, int to_fd, VirtAddr to, int flags) {
    if ((flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) != 0) return Error(EINVAL);
    UserPath old_name(from_fd, from), name(to_fd, to);
    return vfs_link(TRY(old_name.place()), TRY(name.place()), (flags & AT_SYMLINK_FOLLOW) != 0);
}

Result<void> sys_unlinkat(int dirfd, VirtAddr path, int flags) {
    if ((flags & ~AT_REMOVEDIR) != 0) return Error(EINVAL);
    UserPath name(dirfd, path);
    return vfs_unlink(TRY(name.place()), (flags & AT_REMOVEDIR) != 0);
}

Result<void> sys_renameat2(int from_fd, VirtAddr from, int to_fd, VirtAddr to,
                           uint32_t flags) {
    if ((flags & ~RENAME_NOREPLACE) != 0) return Error(EINVAL);
    UserPath old_name(from_fd, from), name(to_fd, to);
    return vfs_rename(TRY(old_name.place()), TRY(name.place()), (flags & RENAME_NOREPLACE) != 0);
}

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

Result<void> sys_execve(VirtAddr path, VirtAddr arguments, VirtAddr environment) {
    UserPath name(AT_FDCWD, path);
    return exec_program(TRY(name.text()).data(), arguments, environment);
}

// ---- The stat family, access ----

namespace {

constexpr uint64_t kAnonymousDevice = 0xf;  // st_dev of what is in no file system: pipes

Result<void> write_stat(Inode& inode, VirtAddr out) {
    Attributes a = inode.stat();
    struct stat stat = {};
    stat.st_dev = inode.file_system ? inode.file_system->device : kAnonymousDevice;
    stat.st_ino = inode.number;
    stat.st_nlink = a.links;
    stat.st_mode = a.mode;
    stat.st_uid = a.uid;
    stat.st_gid = a.gid;
    stat.st_rdev = a.device;
    stat.st_size = static_cast<int64_t>(a.size);
    stat.st_blksize = kPageSize;
    stat.st_blocks = static_cast<int64_t>(a.blocks);
    stat.st_atim = {a.accessed.seconds, a.accessed.nanoseconds};
    stat.st_mtim = {a.modified.seconds, a.modified.nanoseconds};
    stat.st_ctim = {a.changed.seconds, a.changed.nanoseconds};
    return copy_to_user(out, &stat, sizeof stat);
}

Result<void> write_statfs(Inode& inode, VirtAddr out) {
    constexpr uint64_t kPipeMagic = 0x50495045;  // PIPEFS_MAGIC
    struct statfs statfs = {};
    statfs.f_type = kPipeMagic;
    statfs.f_bsize = statfs.f_frsize = kPageSize;
    statfs.f_namelen = kMaxName;
    if (FileSystem* fs = inode.file_system) {
        SpaceUse space = fs->space();
        statfs.f_type = fs->magic;
        statfs.f_blocks = space.pages;
        statfs.f_bfree = statfs.f_bavail = space.free_pages;
        statfs.f_fsid.__val[0] = static_cast<int32_t>(fs->device);
    }
    return copy_to_user(out, &statfs, sizeof statfs);
}

}  // namespace

Result<void> sys_newfstatat(int dirfd, VirtAddr path, VirtAddr out, int flags) {
    constexpr int kNoAutomount = 0x800;
    if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | kNoAutomount)) != 0)
        return Error(EINVAL);
    return write_stat(*TRY(inode_at(dirfd, path, flags)), out);
}

Result<void> sys_statfs(VirtAddr path, VirtAddr out) {
    return write_statfs(*TRY(inode_at(AT_FDCWD, path, 0)), out);
}

Result<void> sys_fstatfs(int fd, VirtAddr out) {
    return write_statfs(*TRY(inode_of(fd)), out);
}

Result<void> sys_faccessat2(int dirfd, VirtAddr path, uint32_t mode, int flags) {
    constexpr int kKnown = AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH;
    if ((mode & ~7u) != 0 || (flags & ~kKnown) != 0) return Error(EINVAL);
    InodeRef inode = TRY(inode_at(dirfd, path, flags));
    // Root may do everything, but execute only what somebody may execute.
    return (mode & X_OK) == 0 || inode->executable() ? Result<void>{} : Error(EACCES);
}

// ---- Changing attributes ----

namespace {

Result<void> change_mode(Inode& inode, uint32_t mode) {
    MutexGuard guard(inode.mutex);
    inode.attributes.mode = inode.type() | (mode & 07777);
    inode.attributes.changed = vfs_now();
    return {};
}

constexpr uint32_t kUnchanged = ~0u;

Result<void> change_owner(Inode& inode, uint32_t uid, uint32_t gid) {
    MutexGuard guard(inode.mutex);
    Attributes& attributes = inode.attributes;
    if (uid != kUnchanged) attributes.uid = uid;
    if (gid != kUnchanged) attributes.gid = gid;
    if (!inode.is_directory() && (attributes.mode & 0111) != 0)
        attributes.mode &= ~static_cast<uint32_t>(S_ISUID | S_ISGID);
    attributes.changed = vfs_now();
    return {};
}

// ---- Times ----

struct NewTimes {
    TimeSpec accessed, modified;
};

bool is_valid(TimeSpec time) {
    return time.nanoseconds == UTIME_NOW || time.nanoseconds == UTIME_OMIT ||
           (time.nanoseconds >= 0 && time.nanoseconds < 1'000'000'000);
}

Result<void> change_times(Inode& inode, const NewTimes& times) {
    if (!is_valid(times.accessed) || !is_valid(times.modified)) return Error(EINVAL);
    TimeSpec now = vfs_now();
    auto set = [&](TimeSpec& time, TimeSpec wanted) {
        if (wanted.nanoseconds == UTIME_OMIT) return;
        time = wanted.nanoseconds == UTIME_NOW ? now : wanted;
    };
    MutexGuard guard(inode.mutex);
    set(inode.attributes.accessed, times.accessed);
    set(inode.attributes.modified, times.modified);
    inode.attributes.changed = now;
    return {};
}

}  // namespace

Result<void> sys_fchmodat(int dirfd, VirtAddr path, uint32_t mode) {
    return change_mode(*TRY(inode_at(dirfd, path, 0)), mode);
}
Result<void> sys_fchmod(int fd, uint32_t mode) {
    return change_mode(*TRY(inode_of(fd)), mode);
}

Result<void> sys_fchownat(int dirfd, VirtAddr path, uint32_t uid, uint32_t gid, int flags) {
    if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0) return Error(EINVAL);
    return change_owner(*TRY(inode_at(dirfd, path, flags)), uid, gid);
}

Result<void> sys_utimensat(int dirfd, VirtAddr path, VirtAddr times, int flags) {
    if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0) return Error(EINVAL);
    NewTimes wanted = {{0, UTIME_NOW}, {0, UTIME_NOW}};
    if (times != 0) wanted = TRY(UserIn<NewTimes>(times).read());
    // futimens(3): without a path the descriptor itself.
    InodeRef inode = path == 0 ? TRY(inode_of(dirfd)) : TRY(inode_at(dirfd, path, flags));
    return change_times(*inode, wanted);
}

Result<void> sys_truncate(VirtAddr path, int64_t size) {
    if (size < 0) return Error(EINVAL);
    InodeRef inode = TRY(inode_at(AT_FDCWD, path, 0));
    if (inode->is_directory()) return Error(EISDIR);
    return inode->truncate(static_cast<uint64_t>(size));
}

// ---- The working directory ----

Result<size_t> sys_getcwd(VirtAddr out, uint64_t size) {
    ProcessWalk walk = TRY(ProcessWalk::at(AT_FDCWD, "."));
    const WalkContext& context = walk.context();
    ScratchPage page;
    char* text = TRY(page.get());
    size_t length = TRY(vfs_path_of(context.root, context.directory, text, kMaxPath - 1));
    text[length++] = '\0';
    if (length > size) return Error(ERANGE);
    TRY(copy_to_user(out, text, length));
    return length;
}

static Result<void> change_directory(InodeRef directory) {
    Process& process = current_process();
    if (!directory->is_directory()) return Error(ENOTDIR);
    SpinGuard guard(process.lock);
    std::swap(process.working_directory, directory);  // the old one is dropped by the caller
    return {};
}

Result<void> sys_chdir(VirtAddr path) {
    return change_directory(TRY(inode_at(AT_FDCWD, path, 0)));
}

Result<void> sys_fchdir(int fd) { return change_directory(TRY(inode_of(fd))); }

Result<uint32_t> sys_umask(uint32_t mask) {
    return current_process().umask.exchange(mask & 0777);
}
