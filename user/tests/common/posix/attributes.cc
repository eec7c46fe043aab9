// What stat tells, and what changes it: modes, owners, times; and who may do what.
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <signal.h>
#include <time.h>
#include <utime.h>

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

// A child without privileges runs `body`.
template <typename Body>
int as_nobody(Body body) {
    return run_child([&] {
        if (setgid(kNobody) != 0 || setuid(kNobody) != 0) return 100;
        return body();
    });
}
// 0 when the call failed with this error.
int failed_with(int error, long result) {
    if (result != -1) return 101;
    return errno == error ? 0 : errno;
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
    // struct statx, by hand: mask, blksize, attributes, nlink, uid, gid, mode, ino, size.
    alignas(8) static unsigned char extended[256];
    check_works("statx", syscall(SYS_statx, AT_FDCWD, "file", 0, 0x7ff, extended));
    uint64_t size = 0;
    uint16_t mode = 0;
    memcpy(&mode, extended + 28, 2);
    memcpy(&size, extended + 40, 8);
    check_equal("statx_mode", S_IFREG | 0644, mode);
    check_equal("statx_size", 5000, size);
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
    check_works("mknod_device", mknod("null", S_IFCHR | 0666, makedev(1, 3)));
    check_equal("mknod_device_number", makedev(1, 3), info_of("null").st_rdev);
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
    utimbuf seconds = {11, 22};
    check_works("utime", utime("file", &seconds));
    check_equal("utime_access", 11, info_of("file").st_atim.tv_sec);
    check_equal("utime_change", 22, info_of("file").st_mtim.tv_sec);

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
    check_exited("other_reads", 0, as_nobody([] { return access("file", R_OK); }));
    check_exited("other_writes_not", 0,
                 as_nobody([] { return failed_with(EACCES, access("file", W_OK)); }));
    check_exited("other_searches_not", 0,
                 as_nobody([] { return failed_with(EACCES, access("dir/x", F_OK)); }));
    check_exited("real_user_counts", 0, run_child([] {
                     if (setresuid(kNobody, 0, 0) != 0) return 1;
                     return failed_with(EACCES, access("file", W_OK));
                 }));
}

void test_permissions() {
    make_text("secret", "x", 0600);
    make_text("public", "x", 0644);
    mkdir("closed", 0700);
    make_text("closed/file", "x");
    mkdir("listable", 0744);
    make_text("listable/file", "x");
    mkdir("shared", 0777);
    mkdir("sticky", 0755);
    chmod("shared", 0777);
    chmod("sticky", 01777);
    make_text("sticky/file", "x");
    chmod("sticky/file", 0666);
    make_text("shared/file", "x");
    check_exited("read_secret", 0,
                 as_nobody([] { return failed_with(EACCES, open("secret", O_RDONLY)); }));
    check_exited("write_public", 0,
                 as_nobody([] { return failed_with(EACCES, open("public", O_RDWR)); }));
    check_exited("truncate_public", 0,
                 as_nobody([] { return failed_with(EACCES, truncate("public", 0)); }));
    check_exited("create", 0, as_nobody([] { return failed_with(EACCES, mkdir("x", 0777)); }));
    check_exited("unlink", 0, as_nobody([] { return failed_with(EACCES, unlink("public")); }));
    check_exited("rename", 0,
                 as_nobody([] { return failed_with(EACCES, rename("public", "y")); }));
    check_exited("search", 0,
                 as_nobody([] { return failed_with(EACCES, open("closed/file", O_RDONLY)); }));
    check_exited("search_listable", 0, as_nobody([] {
                     return failed_with(EACCES, access("listable/file", F_OK));
                 }));
    check_exited("list_closed", 0,
                 as_nobody([] { return failed_with(EACCES, open("closed", O_RDONLY)); }));
    check_exited("chdir_closed", 0,
                 as_nobody([] { return failed_with(EACCES, chdir("closed")); }));
    check_exited("chmod", 0,
                 as_nobody([] { return failed_with(EPERM, chmod("public", 0666)); }));
    check_exited("chown", 0,
                 as_nobody([] { return failed_with(EPERM, chown("public", kNobody, 0)); }));
    check_exited("own_file", 0, as_nobody([] {
                     int fd = open("shared/mine", O_RDWR | O_CREAT, 0600);
                     if (fd < 0 || chmod("shared/mine", 0640) != 0) return 1;
                     return fchmod(fd, 0200) == 0 && fchmod(fd, 0400) == 0 ? 0 : 2;
                 }));
    check_equal("own_file_owner", kNobody, info_of("shared/mine").st_uid);
    check_exited("unlink_in_shared", 0, as_nobody([] { return unlink("shared/file"); }));
    check_exited("unlink_in_sticky", 0,
                 as_nobody([] { return failed_with(EPERM, unlink("sticky/file")); }));
    check_exited("write_in_sticky", 0, as_nobody([] {
                     return open("sticky/file", O_WRONLY) >= 0 ? 0 : 1;
                 }));
    check_exited("execute", 0, as_nobody([] {
                     char* arguments[] = {nullptr, nullptr};
                     return failed_with(EACCES, execve("public", arguments, arguments));
                 }));
    check_exited("times_of_others", 0, as_nobody([] {
                     timespec times[2] = {{1, 0}, {1, 0}};
                     return failed_with(EPERM, utimensat(AT_FDCWD, "public", times, 0));
                 }));
    check_exited("owner_before_group", 0, as_nobody([] {
                     int fd = open("shared/odd", O_RDWR | O_CREAT, 0644);
                     fchmod(fd, 0077);
                     return failed_with(EACCES, open("shared/odd", O_RDONLY));
                 }));
    check_exited("kill_others", 0, as_nobody([] { return failed_with(EPERM, kill(1, 0)); }));
    check_exited("root_again", 0, as_nobody([] { return failed_with(EPERM, setuid(0)); }));
    check_exited("host_name", 0,
                 as_nobody([] { return failed_with(EPERM, sethostname("x", 1)); }));
    int fd = open("secret", O_RDONLY);
    check_exited("open_descriptor_stays", 0, as_nobody([fd] {
                     char byte;
                     return read(fd, &byte, 1) == 1 ? 0 : 1;
                 }));
    close(fd);
}
