// Regular files: open and its flags, reading, writing, offsets, size; and the devices.
#include <dirent.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include "user/tests/common/posix/posix.h"

namespace {

void test_open_errors() {
    make_text("file", "contents");
    mkdir("dir", 0755);
    check_fails("missing", ENOENT, open("missing", O_RDONLY));
    check_fails("missing_directory", ENOENT, open("missing/file", O_RDWR | O_CREAT, 0644));
    check_fails("empty_path", ENOENT, open("", O_RDONLY));
    check_fails("empty_path_create", ENOENT, open("", O_RDWR | O_CREAT, 0644));
    check_fails("file_as_directory", ENOTDIR, open("file/x", O_RDONLY));
    check_fails("file_as_directory_create", ENOTDIR, open("file/x", O_RDWR | O_CREAT, 0644));
    check_fails("file_with_slash", ENOTDIR, open("file/", O_RDONLY));
    check_fails("create_with_slash", EISDIR, open("new/", O_RDWR | O_CREAT, 0644));
    check("create_with_slash_made_nothing", !exists("new"));
    check_fails("exclusive_existing", EEXIST, open("file", O_RDWR | O_CREAT | O_EXCL, 0644));
    check_fails("exclusive_directory", EEXIST, open("dir", O_RDONLY | O_CREAT | O_EXCL, 0644));
    check_fails("directory_flag_on_file", ENOTDIR, open("file", O_RDONLY | O_DIRECTORY));
    check_fails("directory_for_writing", EISDIR, open("dir", O_WRONLY));
    check_fails("directory_read_write", EISDIR, open("dir", O_RDWR));
    check_fails("directory_create", EISDIR, open("dir", O_RDONLY | O_CREAT, 0644));
    check_fails("close_bad", EBADF, close(-1));
    check_fails("close_unused", EBADF, close(900));
}

void test_open_links() {
    symlink("file", "link");
    symlink("absent", "dangling");
    symlink("loop", "loop");
    int fd = open("link", O_RDONLY);
    check_works("through_link", fd);
    close(fd);
    check_fails("nofollow_link", ELOOP, open("link", O_RDONLY | O_NOFOLLOW));
    check_fails("dangling_link", ENOENT, open("dangling", O_RDONLY));
    check_fails("exclusive_dangling", EEXIST,
                open("dangling", O_RDWR | O_CREAT | O_EXCL, 0644));
    check("exclusive_dangling_made_nothing", !exists("absent"));
    fd = open("dangling", O_RDWR | O_CREAT, 0644);
    check_works("create_through_dangling", fd);
    check("create_through_dangling_made_target", exists("absent"));
    close(fd);
    check_fails("link_to_itself", ELOOP, open("loop", O_RDONLY));
    check_fails("link_to_itself_create", ELOOP, open("loop", O_RDWR | O_CREAT, 0644));
}

void test_open_modes() {
    char byte = 'x';
    int fd = open("file", O_RDONLY);
    check_fails("write_on_read_only", EBADF, write(fd, &byte, 1));
    check_fails("pwrite_on_read_only", EBADF, pwrite(fd, &byte, 1, 0));
    close(fd);
    check_fails("read_closed", EBADF, read(fd, &byte, 1));
    fd = open("file", O_WRONLY);
    check_fails("read_on_write_only", EBADF, read(fd, &byte, 1));
    check_fails("pread_on_write_only", EBADF, pread(fd, &byte, 1, 0));
    close(fd);
    fd = open("dir", O_RDONLY | O_DIRECTORY);
    check_works("directory", fd);
    check_fails("read_directory", EISDIR, read(fd, &byte, 1));
    close(fd);
    fd = open("forbidden", O_RDWR | O_CREAT, 0);
    check_equal("create_mode_0_is_writable", 1, write(fd, &byte, 1));
    close(fd);
    fd = open("file", O_RDWR | O_TRUNC);
    check_equal("truncated", 0, size_of("file"));
    close(fd);
    make_text("file", "contents");
    fd = creat("file", 0600);
    check_equal("creat_truncates", 0, size_of("file"));
    check_fails("creat_is_write_only", EBADF, read(fd, &byte, 1));
    close(fd);
    struct stat info;
    stat("file", &info);
    check_equal("creat_keeps_mode", 0644, info.st_mode & 07777);
    umask(027);
    close(open("masked", O_RDWR | O_CREAT, 0777));
    umask(022);
    stat("masked", &info);
    check_equal("mode_masked", 0750, info.st_mode & 07777);
}

void test_open_numbers() {
    int a = open("file", O_RDONLY), b = open("file", O_RDONLY), c = open("file", O_RDONLY);
    check("rising_numbers", a < b && b < c);
    close(b);
    check_equal("lowest_number", b, open("file", O_RDONLY));
    close(a);
    close(b);
    close(c);
    check_exited("EMFILE", 0, run_child([] {
                     rlimit limit = {20, 20};
                     if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return 1;
                     int last = -1, fd;
                     while ((fd = open("file", O_RDONLY)) >= 0) last = fd;
                     int ends[2];
                     if (errno != EMFILE || last != 19) return 2;
                     if (pipe(ends) != -1 || errno != EMFILE) return 3;
                     return dup(0) == -1 && errno == EMFILE ? 0 : 4;
                 }));
    check_exited("many_descriptors", 0, run_child([] {
                     rlimit limit = {1000, 1000};
                     if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return 1;
                     int last = -1, fd;
                     while ((fd = open("file", O_RDONLY)) >= 0) last = fd;
                     return last == 999 ? 0 : 2;
                 }));
}

}  // namespace

void test_open() {
    test_open_errors();
    test_open_links();
    test_open_modes();
    test_open_numbers();
}

void test_io() {
    char buffer[20000];
    int fd = make_file("file", 0);
    check_equal("read_empty", 0, read(fd, buffer, 10));
    check_equal("write", 5, write(fd, "hello", 5));
    check_equal("write_nothing", 0, write(fd, "x", 0));
    check_equal("offset_moved", 5, lseek(fd, 0, SEEK_CUR));
    check_equal("read_at_end", 0, read(fd, buffer, 10));
    check_equal("pread", 3, pread(fd, buffer, 3, 1));
    check_bytes("pread_bytes", "ell", buffer, 3);
    check_equal("pread_short", 2, pread(fd, buffer, 10, 3));
    check_equal("pread_past_end", 0, pread(fd, buffer, 10, 50));
    check_equal("pread_keeps_offset", 5, lseek(fd, 0, SEEK_CUR));
    check_equal("pwrite", 2, pwrite(fd, "HE", 2, 0));
    check_equal("pwrite_keeps_offset", 5, lseek(fd, 0, SEEK_CUR));
    check_equal("pwrite_past_end", 3, pwrite(fd, "end", 3, 9000));
    check_equal("pwrite_extends", 9003, size_of("file"));
    check_equal("read_all", 9003, pread(fd, buffer, sizeof buffer, 0));
    check("hole_is_zero", all_bytes(buffer + 5, 8995, 0));
    check_bytes("around_the_hole", "HEllo", buffer, 5);
    check_bytes("behind_the_hole", "end", buffer + 9000, 3);
    check_fails("pread_negative", EINVAL, pread(fd, buffer, 1, -1));
    check_fails("pwrite_negative", EINVAL, pwrite(fd, buffer, 1, -1));
    check_fails("read_bad", EBADF, read(-1, buffer, 1));
    check_fails("write_bad", EBADF, write(77, buffer, 1));
    check_fails("read_bad_nothing", EBADF, read(77, buffer, 0));
    close(fd);

    fd = make_file("big", 3 * kPage + 100);
    check_equal("big_pread", 8000, pread(fd, buffer, 8000, 333));
    check_equal("big_pread_bytes", 8000, filled_until(buffer, 8000, 333));
    check_equal("big_read_to_end", 3 * kPage + 100, read(fd, buffer, sizeof buffer));
    check_equal("overwrite", 6000, pwrite(fd, buffer, 6000, 0));
    check_equal("overwrite_keeps_size", 3 * kPage + 100, size_of("big"));
    int other = open("big", O_RDONLY), twin = dup(fd);
    lseek(fd, 100, SEEK_SET);
    check_equal("own_offset", 0, lseek(other, 0, SEEK_CUR));
    check_equal("dup_shares_offset", 100, lseek(twin, 0, SEEK_CUR));
    run_child([&] { return static_cast<int>(lseek(fd, 222, SEEK_SET)); });
    check_equal("fork_shares_offset", 222, lseek(fd, 0, SEEK_CUR));
    check_works("fsync", fsync(fd));
    check_works("fdatasync", fdatasync(fd));
    check_fails("fsync_bad", EBADF, fsync(-1));
    check_works("unlink_open", unlink("big"));
    check_equal("read_unlinked", 10, pread(fd, buffer, 10, 50));
    check_equal("read_unlinked_bytes", 10, filled_until(buffer, 10, 50));
    close(fd);
    close(other);
    close(twin);
    fd = make_file("sparse", 0);
    check_equal("write_at_1_GiB", 1, pwrite(fd, "x", 1, 1 << 30));
    check_equal("size_1_GiB", (1l << 30) + 1, size_of("sparse"));
    check_equal("read_hole", 100, pread(fd, buffer, 100, 1 << 29));
    check("read_hole_is_zero", all_bytes(buffer, 100, 0));
    close(fd);
}

void test_append() {
    char buffer[32];
    make_text("file", "start");
    int fd = open("file", O_RDWR | O_APPEND);
    check_equal("offset_at_start", 0, lseek(fd, 0, SEEK_CUR));
    check_equal("write", 2, write(fd, "+1", 2));
    check_equal("offset_behind", 7, lseek(fd, 0, SEEK_CUR));
    lseek(fd, 0, SEEK_SET);
    check_equal("write_after_seek", 2, write(fd, "+2", 2));
    int other = open("file", O_WRONLY);
    pwrite(other, "+3", 2, 9);
    check_equal("write_after_other", 2, write(fd, "+4", 2));
    check_equal("read", 13, pread(fd, buffer, sizeof buffer, 0));
    check_bytes("order", "start+1+2+3+4", buffer, 13);
    check_works("clear_flag", fcntl(fd, F_SETFL, 0));
    lseek(fd, 0, SEEK_SET);
    check_equal("write_without_flag", 1, write(fd, "S", 1));
    check_equal("size_unchanged", 13, size_of("file"));
    check_works("set_flag", fcntl(fd, F_SETFL, O_APPEND));
    write(fd, "!", 1);
    check_equal("size_grew", 14, size_of("file"));
    close(other);
    close(fd);

    // Appends of two processes never overwrite each other.
    close(make_file("both", 0));
    pid_t children[2];
    for (int i = 0; i < 2; i++) {
        children[i] = start_child([i] {
            int own = open("both", O_WRONLY | O_APPEND);
            char line[10];
            memset(line, 'A' + i, sizeof line);
            for (int j = 0; j < 300; j++) {
                if (write(own, line, sizeof line) != sizeof line) return 1;
            }
            return 0;
        });
    }
    for (pid_t child : children) check_exited("two_writers", 0, wait_status(child));
    check_equal("two_writers_size", 6000, size_of("both"));
    fd = open("both", O_RDONLY);
    int torn = 0;
    char line[10];
    while (read(fd, line, sizeof line) == sizeof line) torn += !all_bytes(line, 10, line[0]);
    check_equal("two_writers_torn_lines", 0, torn);
    close(fd);
}

void test_seek() {
    int fd = make_file("file", 1000);
    check_equal("set", 10, lseek(fd, 10, SEEK_SET));
    check_equal("forward", 30, lseek(fd, 20, SEEK_CUR));
    check_equal("backward", 25, lseek(fd, -5, SEEK_CUR));
    check_equal("end", 990, lseek(fd, -10, SEEK_END));
    check_equal("past_end", 1100, lseek(fd, 100, SEEK_END));
    check_equal("past_end_keeps_size", 1000, size_of("file"));
    char byte;
    check_equal("read_past_end", 0, read(fd, &byte, 1));
    check_equal("write_past_end", 1, write(fd, "x", 1));
    check_equal("write_past_end_size", 1101, size_of("file"));
    check_fails("negative", EINVAL, lseek(fd, -1, SEEK_SET));
    check_fails("before_start", EINVAL, lseek(fd, -2000, SEEK_CUR));
    check_fails("before_start_by_end", EINVAL, lseek(fd, -2000, SEEK_END));
    check_equal("unmoved_by_failure", 1101, lseek(fd, 0, SEEK_CUR));
    check_fails("whence", EINVAL, lseek(fd, 0, 99));
    check_equal("beyond_4_GiB", 5l << 32, lseek(fd, 5l << 32, SEEK_SET));
    close(fd);
    check_fails("bad_descriptor", EBADF, lseek(fd, 0, SEEK_SET));
    int ends[2];
    if (pipe(ends) != 0) return;
    check_fails("pipe", ESPIPE, lseek(ends[0], 0, SEEK_CUR));
    check_fails("pipe_pread", ESPIPE, pread(ends[0], &byte, 1, 0));
    check_fails("pipe_pwrite", ESPIPE, pwrite(ends[1], &byte, 1, 0));
    close(ends[0]);
    close(ends[1]);
}

void test_vectors() {
    char a[4] = {}, b[4] = {}, whole[16];
    int fd = make_file("file", 0);
    iovec out[3] = {{const_cast<char*>("abc"), 3}, {nullptr, 0}, {const_cast<char*>("defgh"), 5}};
    check_equal("writev", 8, writev(fd, out, 3));
    check_equal("writev_offset", 8, lseek(fd, 0, SEEK_CUR));
    check_equal("writev_read_back", 8, pread(fd, whole, sizeof whole, 0));
    check_bytes("writev_order", "abcdefgh", whole, 8);
    iovec in[2] = {{a, 4}, {b, 4}};
    lseek(fd, 1, SEEK_SET);
    check_equal("readv_short", 7, readv(fd, in, 2));
    check_bytes("readv_first", "bcde", a, 4);
    check_bytes("readv_second", "fgh", b, 3);
    check_equal("readv_at_end", 0, readv(fd, in, 2));
    check_equal("no_pieces", 0, readv(fd, in, 0));
    check_fails("negative_count", EINVAL, readv(fd, in, -1));
    static iovec many[1025];
    for (iovec& piece : many) piece = {whole, 0};
    check_fails("too_many", EINVAL, writev(fd, many, 1025));
    check_equal("most", 0, writev(fd, many, 1024));
    iovec negative[1] = {{whole, static_cast<size_t>(-1)}};
    check_fails("negative_length", EINVAL, readv(fd, negative, 1));
    check_fails("bad_descriptor", EBADF, writev(-1, out, 3));
    close(fd);
    int ends[2];
    if (pipe(ends) != 0) return;
    check_equal("pipe_writev", 8, writev(ends[1], out, 3));
    check_equal("pipe_readv", 8, readv(ends[0], in, 2));
    check_bytes("pipe_order", "efgh", b, 4);
    close(ends[0]);
    close(ends[1]);
}

void test_truncate() {
    char buffer[3 * kPage];
    int fd = make_file("file", 10000);
    check_works("shrink", ftruncate(fd, 5000));
    check_equal("shrunk", 5000, size_of("file"));
    check_works("grow", ftruncate(fd, 9000));
    check_equal("read_grown", 9000, pread(fd, buffer, sizeof buffer, 0));
    check_equal("kept_bytes", 5000, filled_until(buffer, 5000));
    check("new_bytes_are_zero", all_bytes(buffer + 5000, 4000, 0));
    check_works("by_path", truncate("file", 100));
    check_equal("by_path_size", 100, size_of("file"));
    lseek(fd, 5000, SEEK_SET);
    check_equal("read_behind_end", 0, read(fd, buffer, 1));
    check_works("to_nothing", ftruncate(fd, 0));
    check_equal("write_at_old_offset", 1, write(fd, "x", 1));
    check_equal("write_at_old_offset_size", 5001, size_of("file"));
    check_works("to_1_GiB", ftruncate(fd, 1 << 30));
    check_equal("1_GiB", 1 << 30, size_of("file"));
    check_works("from_1_GiB", ftruncate(fd, 10));
    check_fails("negative", EINVAL, ftruncate(fd, -1));
    check_fails("path_negative", EINVAL, truncate("file", -1));
    int reader = open("file", O_RDONLY);
    check_fails("read_only", EINVAL, ftruncate(reader, 0));
    close(reader);
    mkdir("dir", 0755);
    check_fails("directory", EISDIR, truncate("dir", 0));
    check_fails("missing", ENOENT, truncate("missing", 0));
    check_fails("not_a_directory", ENOTDIR, truncate("file/x", 0));
    check_fails("bad_descriptor", EBADF, ftruncate(-1, 0));
    int ends[2];
    if (pipe(ends) == 0) check_fails("pipe", EINVAL, ftruncate(ends[1], 0));
    close(fd);
}

void test_devices() {
    char buffer[5000];
    struct stat info;
    int fd = open("/dev/null", O_RDWR);
    check_works("open_null", fd);
    check_equal("write_null", 5000, write(fd, buffer, sizeof buffer));
    check_equal("read_null", 0, read(fd, buffer, sizeof buffer));
    check("null_is_character_device", fstat(fd, &info) == 0 && S_ISCHR(info.st_mode));
    check_equal("null_number", 0x103, info.st_rdev);
    close(fd);
    fd = open("/dev/zero", O_RDWR);
    memset(buffer, 1, sizeof buffer);
    check_equal("read_zero", 5000, read(fd, buffer, sizeof buffer));
    check("zeros", all_bytes(buffer, sizeof buffer, 0));
    check_equal("write_zero", 5000, write(fd, buffer, sizeof buffer));
    close(fd);
    fd = open("/dev/full", O_RDWR);
    check_fails("write_full", ENOSPC, write(fd, buffer, 1));
    check_equal("read_full", 5000, read(fd, buffer, sizeof buffer));
    close(fd);
    fd = open("/dev/urandom", O_RDONLY);
    check_equal("read_urandom", 5000, read(fd, buffer, sizeof buffer));
    check("urandom_is_not_constant", !all_bytes(buffer, sizeof buffer, buffer[0]));
    close(fd);
    fd = open("/dev/null", O_WRONLY | O_TRUNC | O_CREAT, 0666);
    check_works("open_as_a_shell_does", fd);
    close(fd);
    check_fails("device_as_directory", ENOTDIR, open("/dev/null/x", O_RDONLY));
}
