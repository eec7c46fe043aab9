// Directories: making, removing, listing, the working directory, rename, the *at calls.
#include <dirent.h>

#include "user/tests/common/posix/posix.h"

namespace {

long links_of(const char* name) {
    struct stat info;
    return lstat(name, &info) == 0 ? static_cast<long>(info.st_nlink) : -1;
}

}  // namespace

void test_mkdir() {
    check_works("make", mkdir("dir", 0755));
    check_equal("links", 2, links_of("dir"));
    check_works("inside", mkdir("dir/sub", 0700));
    check_equal("links_with_sub", 3, links_of("dir"));
    check_equal("dot_dot", inode_of("dir"), inode_of("dir/sub/.."));
    check_equal("dot", inode_of("dir"), inode_of("dir/."));
    check_works("trailing_slash", mkdir("slash/", 0755));
    check_fails("existing", EEXIST, mkdir("dir", 0755));
    make_text("file", "x");
    check_fails("existing_file", EEXIST, mkdir("file", 0755));
    symlink("nowhere", "dangling");
    check_fails("dangling_link", EEXIST, mkdir("dangling", 0755));
    check_fails("dot_existing", EEXIST, mkdir(".", 0755));
    check_fails("dot_dot_existing", EEXIST, mkdir("dir/..", 0755));
    check_fails("root", EEXIST, mkdir("/", 0755));
    check_fails("no_parent", ENOENT, mkdir("missing/dir", 0755));
    check_fails("parent_is_file", ENOTDIR, mkdir("file/dir", 0755));
    check_fails("empty_path", ENOENT, mkdir("", 0755));
    umask(077);
    mkdir("masked", 0777);
    umask(022);
    struct stat info;
    stat("masked", &info);
    check_equal("masked_mode", S_IFDIR | 0700, info.st_mode);
    // Deep enough that no recursion in a kernel survives it.
    char name[16];
    int depth = 0;
    for (; depth < 200; depth++) {
        snprintf(name, sizeof name, "d%d", depth);
        if (mkdir(name, 0755) != 0 || chdir(name) != 0) break;
    }
    check_equal("deep", 200, depth);
    for (; depth > 0; depth--) {
        snprintf(name, sizeof name, "d%d", depth - 1);
        if (chdir("..") != 0 || rmdir(name) != 0) break;
    }
    check_equal("deep_removed", 0, depth);
}

void test_rmdir() {
    mkdir("dir", 0755);
    mkdir("dir/sub", 0755);
    make_text("file", "x");
    check_fails("not_empty", ENOTEMPTY, rmdir("dir"));
    check_fails("file", ENOTDIR, rmdir("file"));
    check_fails("missing", ENOENT, rmdir("missing"));
    check_fails("dot", EINVAL, rmdir("dir/sub/."));
    check_fails("dot_dot", ENOTEMPTY, rmdir("dir/sub/.."));
    check_fails("root", EBUSY, rmdir("/"));
    symlink("dir/sub", "link");
    check_fails("link", ENOTDIR, rmdir("link"));
    check_works("sub", rmdir("dir/sub"));
    check_equal("links_of_parent", 2, links_of("dir"));
    check_fails("again", ENOENT, rmdir("dir/sub"));
    check_works("trailing_slash", rmdir("dir/"));
    check("gone", !exists("dir"));
    // A directory that is somebody's working directory may go; it is empty for ever.
    mkdir("work", 0755);
    check_exited("of_working_directory", 0, run_child([] {
                     char path[256];
                     if (chdir("work") != 0 || rmdir("../work") != 0) return 1;
                     if (syscall(SYS_getcwd, path, sizeof path) != -1) return 2;
                     if (errno != ENOENT) return 3;
                     if (open("new", O_RDWR | O_CREAT, 0644) != -1) return 4;
                     if (errno != ENOENT) return 5;
                     return mkdir("new", 0755) == -1 && errno == ENOENT ? 0 : 6;
                 }));
    mkdir("opened", 0755);
    int fd = open("opened", O_RDONLY | O_DIRECTORY);
    rmdir("opened");
    check_fails("create_in_removed", ENOENT, openat(fd, "x", O_RDWR | O_CREAT, 0644));
    close(fd);
}

void test_unlink() {
    make_text("file", "x");
    mkdir("dir", 0755);
    symlink("file", "link");
    check_fails("directory", EISDIR, unlink("dir"));
    check_fails("missing", ENOENT, unlink("missing"));
    check_fails("trailing_slash", ENOTDIR, unlink("file/"));
    check_fails("below_file", ENOTDIR, unlink("file/x"));
    check_works("link", unlink("link"));
    check("link_keeps_target", exists("file"));
    check_works("file", unlink("file"));
    check_fails("again", ENOENT, unlink("file"));
    check_fails("at_flags", EINVAL, unlinkat(AT_FDCWD, "dir", 0x8000));
    check_fails("at_directory_as_file", EISDIR, unlinkat(AT_FDCWD, "dir", 0));
    check_works("at_directory", unlinkat(AT_FDCWD, "dir", AT_REMOVEDIR));
    make_text("file", "x");
    check_fails("at_file_as_directory", ENOTDIR, unlinkat(AT_FDCWD, "file", AT_REMOVEDIR));
    // The name is free at once, though the old file is still open.
    int fd = open("file", O_RDONLY);
    unlink("file");
    make_text("file", "new");
    char byte = 0;
    read(fd, &byte, 1);
    check_equal("old_file_lives", 'x', byte);
    struct stat info;
    fstat(fd, &info);
    check_equal("old_file_has_no_links", 0, info.st_nlink);
    close(fd);
}

void test_list() {
    constexpr int kFiles = 300;
    char name[32];
    mkdir("many", 0755);
    for (int i = 0; i < kFiles; i++) {
        snprintf(name, sizeof name, "many/file%d", i);
        close(open(name, O_WRONLY | O_CREAT, 0644));
    }
    mkdir("many/dir", 0755);
    symlink("x", "many/link");
    static unsigned char seen[kFiles];
    int dots = 0, others = 0, wrong_types = 0, wrong_inodes = 0;
    DIR* list = opendir("many");
    if (!check("opendir", list != nullptr)) return;
    while (dirent* entry = readdir(list)) {
        int number;
        snprintf(name, sizeof name, "many/%.20s", entry->d_name);
        if (sscanf(entry->d_name, "file%d", &number) == 1 && number < kFiles) {
            seen[number]++;
            wrong_types += entry->d_type != DT_REG;
            wrong_inodes += entry->d_ino != inode_of(name);
        } else if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            dots++;
            wrong_types += entry->d_type != DT_DIR;
            wrong_inodes += entry->d_ino != inode_of(name);
        } else {
            others++;
            bool is_dir = strcmp(entry->d_name, "dir") == 0;
            wrong_types += entry->d_type != (is_dir ? DT_DIR : DT_LNK);
        }
    }
    check("each_file_once", all_bytes(seen, sizeof seen, 1));
    check_equal("dots", 2, dots);
    check_equal("others", 2, others);
    check_equal("wrong_types", 0, wrong_types);
    check_equal("wrong_inodes", 0, wrong_inodes);
    rewinddir(list);
    check("rewind", readdir(list) != nullptr);
    // Removing what was listed, as rm -r does, must not lose the rest.
    rewinddir(list);
    int removed = 0;
    while (dirent* entry = readdir(list)) {
        snprintf(name, sizeof name, "many/%.20s", entry->d_name);
        if (entry->d_type == DT_REG && unlink(name) == 0) removed++;
    }
    closedir(list);
    check_equal("removed_while_listing", kFiles, removed);

    char buffer[512];
    int fd = open("many", O_RDONLY | O_DIRECTORY);
    check_fails("buffer_too_small", EINVAL, syscall(SYS_getdents64, fd, buffer, 8));
    check("returns_bytes", syscall(SYS_getdents64, fd, buffer, sizeof buffer) > 0);
    check_equal("at_end", 0, syscall(SYS_getdents64, fd, buffer, sizeof buffer));
    lseek(fd, 0, SEEK_SET);
    check("again_after_seek", syscall(SYS_getdents64, fd, buffer, sizeof buffer) > 0);
    close(fd);
    fd = make_file("file", 1);
    check_fails("file", ENOTDIR, syscall(SYS_getdents64, fd, buffer, sizeof buffer));
    close(fd);
    check_fails("bad_descriptor", EBADF, syscall(SYS_getdents64, 900, buffer, 100));

    // Positions that lseek(2) accepts and no directory has.
    constexpr const char* kDirectories[] = {"/proc/self/fd", "/proc", "/dev", "/tmp"};
    constexpr off_t kFar[] = {0x7fffffff, 0x80000002, off_t{1} << 32, INT64_MAX};
    for (const char* name : kDirectories) {
        int directory = open(name, O_RDONLY | O_DIRECTORY);
        for (off_t far : kFar) {
            check_equal("seek_far", far, lseek(directory, far, SEEK_SET));
            check_equal(name, 0, syscall(SYS_getdents64, directory, buffer, sizeof buffer));
        }
        close(directory);
    }
}

void test_cwd() {
    char start[300], path[300], wanted[320];
    long length = syscall(SYS_getcwd, start, sizeof start);
    check_equal("length_counts_the_zero", strlen(start) + 1, length);
    check_equal("absolute", '/', start[0]);
    check_fails("too_small", ERANGE, syscall(SYS_getcwd, path, length - 1));
    check_fails("no_room", ERANGE, syscall(SYS_getcwd, path, 0));
    check_equal("just_enough", length, syscall(SYS_getcwd, path, length));
    mkdir("a", 0755);
    mkdir("a/b", 0755);
    check_works("chdir", chdir("a/b"));
    snprintf(wanted, sizeof wanted, "%s/a/b", start);
    check_text("below", wanted, getcwd(path, sizeof path) ? path : "");
    check_works("chdir_up", chdir("../.."));
    check_text("up", start, getcwd(path, sizeof path) ? path : "");
    symlink("a/b", "link");
    check_works("chdir_link", chdir("link"));
    check_text("link_is_resolved", wanted, getcwd(path, sizeof path) ? path : "");
    rename("../../a", "../../renamed");
    snprintf(wanted, sizeof wanted, "%s/renamed/b", start);
    check_text("renamed", wanted, getcwd(path, sizeof path) ? path : "");
    check_works("chdir_absolute", chdir(start));
    make_text("file", "x");
    check_fails("file", ENOTDIR, chdir("file"));
    check_fails("missing", ENOENT, chdir("missing"));
    int fd = open("renamed", O_RDONLY | O_DIRECTORY);
    check_works("fchdir", fchdir(fd));
    check("fchdir_moved", exists("b"));
    close(fd);
    chdir(start);
    fd = open("file", O_RDONLY);
    check_fails("fchdir_file", ENOTDIR, fchdir(fd));
    check_fails("fchdir_bad", EBADF, fchdir(900));
    close(fd);
    check_exited("child_moves", 0, run_child([] { return chdir("/"); }));
    check_text("parent_stays", start, getcwd(path, sizeof path) ? path : "");
    chdir("/");
    check_text("root", "/", getcwd(path, sizeof path) ? path : "");
    check_works("above_root", chdir("../../.."));
    check_text("above_root_is_root", "/", getcwd(path, sizeof path) ? path : "");
}

namespace {

void test_rename_files() {
    make_text("a", "first");
    ino_t inode = inode_of("a");
    check_works("file", rename("a", "b"));
    check("old_name_gone", !exists("a"));
    check_equal("same_inode", inode, inode_of("b"));
    make_text("a", "other!");
    int replaced = open("a", O_RDONLY);
    check_works("over_file", rename("b", "a"));
    check_equal("over_file_inode", inode, inode_of("a"));
    char byte = 0;
    read(replaced, &byte, 1);
    check_equal("replaced_stays_readable", 'o', byte);
    close(replaced);
    check_works("to_itself", rename("a", "a"));
    check("to_itself_stays", exists("a"));
    link("a", "twin");
    check_works("over_own_link", rename("a", "twin"));
    check("over_own_link_keeps_both", exists("a") && exists("twin"));
    symlink("a", "link");
    check_works("link", rename("link", "link2"));
    char target[8] = {};
    check_equal("link_itself_moved", 1, readlink("link2", target, sizeof target));
    make_text("c", "c");
    check_works("over_link", rename("c", "link2"));
    check("over_link_keeps_target", exists("a") && size_of("a") == 5);
    check_fails("missing", ENOENT, rename("missing", "x"));
    check_fails("into_missing", ENOENT, rename("a", "missing/x"));
    check_fails("below_file", ENOTDIR, rename("a", "twin/x"));
    check_fails("file_with_slash", ENOTDIR, rename("a/", "x"));
    check_fails("file_to_slash", ENOTDIR, rename("a", "x/"));
    check_fails("empty", ENOENT, rename("", "x"));
    check_fails("to_empty", ENOENT, rename("a", ""));
}

void test_rename_directories() {
    mkdir("dir", 0755);
    mkdir("dir/sub", 0755);
    mkdir("empty", 0755);
    mkdir("target", 0755);
    long links_before = links_of(".");
    check_works("directory", rename("dir/sub", "moved"));
    check_equal("parent_lost_a_link", 2, links_of("dir"));
    check_equal("parent_got_a_link", links_before + 1, links_of("."));
    check_equal("dot_dot_follows", inode_of("."), inode_of("moved/.."));
    check_works("over_empty", rename("moved", "empty"));
    make_text("target/file", "x");
    check_fails("over_full", ENOTEMPTY, rename("empty", "target"));
    check_fails("over_file", ENOTDIR, rename("empty", "a"));
    check_fails("file_over_directory", EISDIR, rename("a", "empty"));
    check_fails("into_itself", EINVAL, rename("target", "target/x"));
    mkdir("target/deep", 0755);
    mkdir("target/deep/er", 0755);
    check_fails("into_own_descendant", EINVAL, rename("target", "target/deep/er/x"));
    check_fails("over_ancestor", ENOTEMPTY, rename("target/deep/er", "target"));
    check_fails("dot", EBUSY, rename(".", "x"));
    check_fails("dot_dot", EBUSY, rename("dir/..", "x"));
    check_works("to_slash", rename("empty", "renamed/"));
    check("to_slash_arrived", exists("renamed"));
    check_works("deep", rename("target/deep/er", "renamed/er"));
    check("deep_arrived", exists("renamed/er") && !exists("target/deep/er"));
    check_fails("across_file_systems", EXDEV, rename("a", "/dev/posix-a"));
    check_works("noreplace", syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "fresh", 1));
    make_text("a", "x");
    check_fails("noreplace_existing", EEXIST,
                syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "fresh", 1));
    check_fails("flags", EINVAL,
                syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "fresh", 0x80));
}

}  // namespace

void test_rename() {
    test_rename_files();
    test_rename_directories();
}

void test_at() {
    mkdir("dir", 0755);
    int dir = open("dir", O_RDONLY | O_DIRECTORY);
    int fd = openat(dir, "file", O_RDWR | O_CREAT, 0644);
    check_works("openat", fd);
    check("openat_relative", exists("dir/file"));
    struct stat info;
    check_works("fstatat", fstatat(dir, "file", &info, 0));
    check_works("mkdirat", mkdirat(dir, "sub", 0755));
    check_works("renameat", renameat(dir, "file", dir, "name"));
    check_works("renameat_out", renameat(dir, "name", AT_FDCWD, "out"));
    check_works("linkat", linkat(AT_FDCWD, "out", dir, "back", 0));
    check_works("symlinkat", symlinkat("back", dir, "link"));
    char target[8];
    check_equal("readlinkat", 4, readlinkat(dir, "link", target, sizeof target));
    check_works("fchmodat", fchmodat(dir, "back", 0600, 0));
    check_works("faccessat", faccessat(dir, "link", R_OK, 0));
    check_works("unlinkat", unlinkat(dir, "back", 0));
    check_fails("faccessat_dangling", ENOENT, faccessat(dir, "link", R_OK, 0));
    check_works("unlinkat_link", unlinkat(dir, "link", 0));
    check_works("unlinkat_directory", unlinkat(dir, "sub", AT_REMOVEDIR));
    check_works("absolute_ignores_descriptor", faccessat(900, "/", F_OK, 0));
    check_fails("bad_descriptor", EBADF, openat(900, "x", O_RDONLY));
    check_fails("file_descriptor", ENOTDIR, openat(fd, "x", O_RDONLY));
    rename("dir", "moved");
    check_works("descriptor_follows_rename", mkdirat(dir, "new", 0755));
    check("descriptor_followed", exists("moved/new"));
    check_works("empty_path", fstatat(fd, "", &info, AT_EMPTY_PATH));
    check_fails("empty_path_without_flag", ENOENT, fstatat(fd, "", &info, 0));
    check_fails("flags", EINVAL, fstatat(dir, "new", &info, 0x40000000));
    close(fd);
    close(dir);
}
