// What stat tells, and what changes it: modes, owners, times; and what access(2) says.
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <signal.h>
#include <time.h>

#include "user/tests/common/posix/posix.h"

namespace {

struct stat info_of(const char* name) {
    struct stat info = {};
    if (lstat(name, &info) != 0) info.st_mode = 0;
    return info;
}
mode_t mode_of(const char* name) { return info_of(name).st_mode & 07777; }

bool is_after(timespec a, timespec b) {
    return a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
}

}  // namespace

void test_stat() {
    int fd = make_file("file", 5000);
    struct stat info = {}, other = {};
    check_works("fstat", fstat(fd, &info));
    check_equal("type", S_IFREG | 0644, info.st_mode);
    check_equal("size", 5000, info.st_size);
    check_equal("links", 1, info.st_nlink);
    check_equal("owner", getuid(), info.st_uid);
    check_equal("group", getgid(), info.st_gid);
    check("inode", info.st_ino != 0);
    check("block_size", info.st_blksize >= 512);
    check("blocks_in_512", info.st_blocks >= 8 && info.st_blocks <= 64);
    check_works("stat", stat("file", &other));
    check_equal("same_inode", info.st_ino, other.st_ino);
    check_equal("same_device", info.st_dev, other.st_dev);
    stat(".", &other);
    check("directory", S_ISDIR(other.st_mode));
    check_equal("directory_device", info.st_dev, other.st_dev);
    stat("/dev/null", &other);
    check("device", S_ISCHR(other.st_mode) && other.st_rdev == makedev(1, 3));
    check("device_elsewhere", other.st_dev != info.st_dev);
    close(make_file("other", 1));
    check("inodes_differ", inode_of("file") != inode_of("other"));
    check_fails("missing", ENOENT, stat("missing", &other));
    check_fails("not_a_directory", ENOTDIR, stat("file/x", &other));
    check_fails("bad_descriptor", EBADF, fstat(900, &other));
    int ends[2];
    if (pipe(ends) == 0) {
        fstat(ends[0], &other);
        check("pipe", S_ISFIFO(other.st_mode));
    }
    struct statfs system = {};
    check_works("statfs", statfs("file", &system));
    check_equal("name_length", 255, system.f_namelen);
    check("statfs_block_size", system.f_bsize > 0);
    check("statfs_free", system.f_bfree <= system.f_blocks);
    check_works("fstatfs", fstatfs(fd, &system));
    check_fails("statfs_missing", ENOENT, statfs("missing", &system));
    close(fd);
}

void test_modes() {
    int fd = make_file("file", 10);
    check_works("chmod", chmod("file", 0741));
    check_equal("chmod_mode", 0741, mode_of("file"));
    check_works("fchmod", fchmod(fd, 04755));
    check_equal("fchmod_mode", 04755, mode_of("file"));
    check_works("masks_the_type", chmod("file", S_IFDIR | 0640));
    check_equal("type_stays", S_IFREG | 0640, info_of("file").st_mode);
    check_works("directory", mkdir("dir", 0700));
    check_works("sticky", chmod("dir", 01777));
    check_equal("sticky_mode", 01777, mode_of("dir"));
    check_fails("missing", ENOENT, chmod("missing", 0600));
    check_fails("bad_descriptor", EBADF, fchmod(900, 0600));
    check_works("chown", chown("file", 123, 456));
    check_equal("owner", 123, info_of("file").st_uid);
    check_equal("group", 456, info_of("file").st_gid);
    check_works("chown_nothing", chown("file", -1, -1));
    check_equal("owner_stays", 123, info_of("file").st_uid);
    check_works("chown_group_only", fchown(fd, -1, 7));
    check_equal("group_only", 7, info_of("file").st_gid);
    check_equal("group_only_owner", 123, info_of("file").st_uid);
    symlink("file", "link");
    check_works("lchown", lchown("link", 5, 6));
    check_equal("lchown_link", 5, info_of("link").st_uid);
    check_equal("lchown_not_target", 123, info_of("file").st_uid);
    check_works("chown_follows", chown("link", 9, 9));
    check_equal("chown_target", 9, info_of("file").st_uid);
    check_equal("umask_was", 022, umask(0177));
    check_equal("umask_is", 0177, umask(07777 | 010000));
    check_equal("umask_masks_itself", 0777, umask(022));
    check_works("mknod_file", mknod("node", S_IFREG | 0640, 0));
    check_equal("mknod_file_mode", S_IFREG | 0640, info_of("node").st_mode);
    check_fails("mknod_existing", EEXIST, mknod("node", S_IFREG | 0640, 0));
    check_fails("mknod_directory", EPERM, mknod("node2", S_IFDIR | 0755, 0));
    close(fd);
}

void test_file_times() {
    int fd = make_file("file", 10);
    timespec times[2] = {{1000, 111}, {2000, 222}};
    check_works("utimensat", utimensat(AT_FDCWD, "file", times, 0));
    struct stat info = info_of("file");
    check_equal("access_seconds", 1000, info.st_atim.tv_sec);
    check_equal("access_nanoseconds", 111, info.st_atim.tv_nsec);
    check_equal("change_seconds", 2000, info.st_mtim.tv_sec);
    check_equal("change_nanoseconds", 222, info.st_mtim.tv_nsec);
    times[0].tv_nsec = UTIME_OMIT;
    times[1] = {3000, 0};
    check_works("omit", utimensat(AT_FDCWD, "file", times, 0));
    info = info_of("file");
    check_equal("omitted", 1000, info.st_atim.tv_sec);
    check_equal("not_omitted", 3000, info.st_mtim.tv_sec);
    times[0].tv_nsec = UTIME_NOW;
    check_works("now", futimens(fd, times));
    timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    check("is_now", now.tv_sec - info_of("file").st_atim.tv_sec < 100);
    check_works("null_is_now", utimensat(AT_FDCWD, "file", nullptr, 0));
    check("null_was_now", now.tv_sec - info_of("file").st_mtim.tv_sec < 100);
    times[0] = {0, 1000000000};
    check_fails("nanoseconds", EINVAL, utimensat(AT_FDCWD, "file", times, 0));
    times[0] = {7, 0};
    times[1] = {8, 0};
    symlink("file", "link");
    check_works("of_link", utimensat(AT_FDCWD, "link", times, AT_SYMLINK_NOFOLLOW));
    check_equal("of_link_itself", 8, info_of("link").st_mtim.tv_sec);
    check("of_link_not_target", info_of("file").st_mtim.tv_sec != 8);
    check_fails("missing", ENOENT, utimensat(AT_FDCWD, "missing", times, 0));
    timespec changed = info_of("file").st_ctim;
    sleep_ms(15);
    write(fd, "x", 1);
    check("write_sets_mtime", info_of("file").st_mtim.tv_sec > 22);
    check("write_sets_ctime", is_after(info_of("file").st_ctim, changed));
    changed = info_of("file").st_ctim;
    timespec written = info_of("file").st_mtim;
    sleep_ms(15);
    chmod("file", 0600);
    check("chmod_sets_ctime", is_after(info_of("file").st_ctim, changed));
    check("chmod_keeps_mtime", !is_after(info_of("file").st_mtim, written));
    ftruncate(fd, 3);
    check("truncate_sets_mtime", is_after(info_of("file").st_mtim, written));
    mkdir("dir", 0755);
    timespec empty = info_of("dir").st_mtim;
    sleep_ms(15);
    make_text("dir/new", "x");
    check("create_sets_directory_mtime", is_after(info_of("dir").st_mtim, empty));
    empty = info_of("dir").st_mtim;
    sleep_ms(15);
    unlink("dir/new");
    check("unlink_sets_directory_mtime", is_after(info_of("dir").st_mtim, empty));
    close(fd);
}

void test_access() {
    make_text("file", "x", 0644);
    make_text("program", "x", 0755);
    mkdir("dir", 0700);
    check_works("exists", access("file", F_OK));
    check_works("read_write", access("file", R_OK | W_OK));
    check_fails("root_executes_no_file", EACCES, access("file", X_OK));
    check_works("executable", access("program", X_OK));
    check_works("directory_search", access("dir", X_OK));
    check_fails("missing", ENOENT, access("missing", F_OK));
    check_fails("mode", EINVAL, access("file", 8));
}
