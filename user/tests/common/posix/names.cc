// Names: hard links, symbolic links, and what a path may look like.
#include "user/tests/common/posix/posix.h"

void test_links() {
    make_text("file", "shared");
    check_works("link", link("file", "twin"));
    check_equal("same_inode", inode_of("file"), inode_of("twin"));
    struct stat info;
    stat("file", &info);
    check_equal("count", 2, info.st_nlink);
    int fd = open("twin", O_WRONLY | O_APPEND);
    write(fd, "!", 1);
    close(fd);
    check_equal("same_contents", 7, size_of("file"));
    check_works("unlink_first", unlink("file"));
    stat("twin", &info);
    check_equal("count_after_unlink", 1, info.st_nlink);
    check_equal("contents_stay", 7, size_of("twin"));
    check_fails("missing", ENOENT, link("file", "x"));
    make_text("file", "x");
    check_fails("existing", EEXIST, link("file", "twin"));
    mkdir("dir", 0755);
    check_fails("directory", EPERM, link("dir", "dir2"));
    check_fails("into_missing", ENOENT, link("file", "missing/x"));
    check_fails("below_file", ENOTDIR, link("file", "twin/x"));
    check_fails("across_file_systems", EXDEV, link("file", "/dev/posix-link"));
    symlink("file", "symbolic");
    check_works("of_symlink", link("symbolic", "symbolic2"));
    check_equal("of_symlink_itself", inode_of("symbolic"), inode_of("symbolic2"));
    check_works("of_symlink_followed",
                linkat(AT_FDCWD, "symbolic", AT_FDCWD, "followed", AT_SYMLINK_FOLLOW));
    check_equal("of_symlink_target", inode_of("file"), inode_of("followed"));
    check_fails("flags", EINVAL, linkat(AT_FDCWD, "file", AT_FDCWD, "x", 0x4000000));
    fd = open("twin", O_RDONLY);
    unlink("twin");
    fstat(fd, &info);
    check_equal("open_without_name", 0, info.st_nlink);
    close(fd);
    char name[16];
    int made = 0;
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "many%d", i);
        made += link("file", name) == 0;
    }
    stat("file", &info);
    check_equal("many", 100, made);
    check_equal("many_counted", 102, info.st_nlink);
}

namespace {

void test_symlink_basics() {
    char buffer[64];
    struct stat info;
    make_text("file", "contents");
    check_works("make", symlink("file", "link"));
    check_equal("readlink", 4, readlink("link", buffer, sizeof buffer));
    check_bytes("readlink_text", "file", buffer, 4);
    memset(buffer, '#', sizeof buffer);
    check_equal("readlink_cut", 2, readlink("link", buffer, 2));
    check_bytes("readlink_cut_text", "fi##", buffer, 4);
    check_fails("readlink_no_room", EINVAL, syscall(SYS_readlink, "link", buffer, 0));
    check_fails("readlink_file", EINVAL, readlink("file", buffer, sizeof buffer));
    check_fails("readlink_missing", ENOENT, readlink("missing", buffer, sizeof buffer));
    check_works("lstat", lstat("link", &info));
    check_equal("lstat_mode", S_IFLNK | 0777, info.st_mode);
    check_equal("lstat_size", 4, info.st_size);
    check_works("stat", stat("link", &info));
    check_equal("stat_follows", S_IFREG | 0644, info.st_mode);
    check_fails("existing", EEXIST, symlink("x", "link"));
    check_fails("existing_file", EEXIST, symlink("x", "file"));
    check_fails("empty_target", ENOENT, symlink("", "x"));
    check_fails("empty_name", ENOENT, symlink("x", ""));
    check_fails("into_missing", ENOENT, symlink("x", "missing/y"));
    check_works("chmod_follows", chmod("link", 0600));
    stat("file", &info);
    check_equal("chmod_followed", 0600, info.st_mode & 07777);
    check_works("truncate_follows", truncate("link", 3));
    check_equal("truncate_followed", 3, size_of("file"));
}

void test_symlink_walks() {
    mkdir("dir", 0755);
    mkdir("dir/sub", 0755);
    make_text("dir/sub/file", "deep");
    symlink("dir/sub", "shortcut");
    check_equal("middle", 4, size_of("shortcut/file"));
    check_equal("dot_dot_is_physical", inode_of("dir"), inode_of("shortcut/.."));
    check_equal("with_slash", inode_of("dir/sub"), inode_of("shortcut/"));
    check_equal("with_dot", inode_of("dir/sub"), inode_of("shortcut/."));
    check_fails("file_link_with_slash", ENOTDIR, access("link/", F_OK));
    symlink("../sub/file", "dir/sub/relative");
    check_equal("relative_to_its_directory", 4, size_of("shortcut/relative"));
    char target[300];
    check("getcwd", getcwd(target, 200) != nullptr);
    strcat(target, "/dir/sub/file");
    symlink(target, "absolute");
    check_equal("absolute", 4, size_of("absolute"));
    symlink("sub/", "dir/slashed");
    check_equal("target_with_slash", 4, size_of("dir/slashed/file"));
    symlink("loop2", "loop1");
    symlink("loop1", "loop2");
    check_fails("loop", ELOOP, open("loop1", O_RDONLY));
    check_fails("loop_in_the_middle", ELOOP, access("loop1/x", F_OK));
    check_works("loop_lstat", exists("loop1") ? 0 : -1);
    check_works("loop_unlink", unlink("loop1"));
    check_fails("dangling", ENOENT, access("loop2", F_OK));
    char name[16], next[16] = "file";
    for (int i = 1; i <= 41; i++) {
        snprintf(name, sizeof name, "chain%d", i);
        symlink(next, name);
        strcpy(next, name);
    }
    check_works("chain_of_40", access("chain40", F_OK));
    check_fails("chain_of_41", ELOOP, access("chain41", F_OK));
    symlink(".", "here");
    check_equal("many_in_one_path", inode_of("."),
                inode_of("here/here/here/here/here/here/here/here/here/."));
}

}  // namespace

void test_symlinks() {
    test_symlink_basics();
    test_symlink_walks();
    static char target[5000];
    memset(target, 't', sizeof target - 1);
    check_fails("target_too_long", ENAMETOOLONG, symlink(target, "x"));
    target[1000] = '\0';
    static char back[5000];
    check_works("long_target", symlink(target, "long"));
    check_equal("long_target_length", 1000, readlink("long", back, sizeof back));
    check_bytes("long_target_text", target, back, 1000);
    check_fails("name_in_target_too_long", ENAMETOOLONG, access("long", F_OK));
}

void test_paths() {
    static char path[5000];
    make_text("file", "12345");
    mkdir("a", 0755);
    mkdir("a/b", 0755);
    ino_t file = inode_of("file");
    check_equal("slashes", file, inode_of(".//a////b///../.././file"));
    check_equal("dots", file, inode_of("./././file"));
    check_equal("through_dot_dot", file, inode_of("a/../a/b/../../file"));
    check_equal("root_dot_dot", inode_of("/"), inode_of("/../../.."));
    check_equal("two_slashes", inode_of("/"), inode_of("//"));
    check_fails("file_dot", ENOTDIR, access("file/.", F_OK));
    check_fails("file_dot_dot", ENOTDIR, access("file/..", F_OK));
    check_fails("missing_dot_dot", ENOENT, access("missing/../file", F_OK));
    check_fails("empty", ENOENT, access("", F_OK));
    check_works("directory_with_slash", access("a/b/", F_OK));
    check_works("unusual_bytes", mkdir("\x01 \xff\n*", 0755));
    check("unusual_bytes_found", exists("\x01 \xff\n*"));
    check_works("three_dots", mkdir("...", 0755));
    check_works("hidden", mkdir(".hidden", 0755));

    memset(path, 'n', sizeof path);
    path[255] = '\0';
    check_works("name_of_255", mkdir(path, 0755));
    check("name_of_255_found", exists(path));
    path[254] = 'm';
    check("name_differs_in_last", !exists(path));
    path[255] = 'n';
    path[256] = '\0';
    check_fails("name_of_256", ENAMETOOLONG, mkdir(path, 0755));
    check_fails("name_of_256_open", ENAMETOOLONG, open(path, O_RDONLY));
    check_fails("name_of_256_stat", ENAMETOOLONG, access(path, F_OK));
    strcat(path, "/x");
    check_fails("name_of_256_in_the_middle", ENAMETOOLONG, access(path, F_OK));

    auto slashes_and_etc = [](size_t length) {
        memset(path, '/', sizeof path);
        memcpy(path + length - 3, "etc", 4);
        return path;
    };
    check_works("path_of_4095", access(slashes_and_etc(4095), F_OK));
    check_fails("path_of_4096", ENAMETOOLONG, access(slashes_and_etc(4096), F_OK));
    check_fails("path_of_4096_open", ENAMETOOLONG, open(path, O_RDONLY));
    check_fails("path_of_4096_mkdir", ENAMETOOLONG, mkdir(path, 0755));
    memset(path, '.', 4500);
    for (int i = 1; i < 4000; i += 2) path[i] = '/';
    path[4000] = '\0';
    check_works("2000_dots", access(path, F_OK));
}
