// Descriptors: dup, fcntl, record locks, sendfile.
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>

#include <initializer_list>

#include "user/tests/common/posix/posix.h"

void test_dup() {
    int fd = make_file("file", 100);
    int twin = dup(fd);
    check("lowest", twin > fd);
    close(fd);
    check_equal("lowest_again", fd, dup(twin));
    check_equal("dup2_to_unused", 40, dup2(fd, 40));
    check_equal("dup2_same", fd, dup2(fd, fd));
    int ends[2];
    if (pipe(ends) != 0) return;
    check_equal("dup2_closes_target", ends[1], dup2(fd, ends[1]));
    char byte;
    check_equal("dup2_closed_target", 0, read(ends[0], &byte, 1));
    check_fails("dup_bad", EBADF, dup(-1));
    check_fails("dup_unused", EBADF, dup(900));
    check_fails("dup2_bad_source", EBADF, dup2(900, 41));
    check_fails("dup2_bad_same", EBADF, dup2(900, 900));
    check_fails("dup2_negative", EBADF, dup2(fd, -1));
    check_fails("dup2_beyond_limit", EBADF, dup2(fd, 1 << 30));
    check_fails("dup3_same", EINVAL, dup3(fd, fd, 0));
    check_fails("dup3_flags", EINVAL, syscall(SYS_dup3, fd, 41, O_APPEND));
    check_equal("dup3_cloexec", 41, dup3(fd, 41, O_CLOEXEC));
    check_equal("dup3_cloexec_is_set", FD_CLOEXEC, fcntl(41, F_GETFD));
    check_equal("dup_clears_cloexec", 42, dup2(41, 42));
    check_equal("dup_cleared_cloexec", 0, fcntl(42, F_GETFD));
    int before = dup(0);
    close(before);
    run_child([&] { return close(fd), close(twin), 0; });
    check_works("child_closes_its_own", fcntl(fd, F_GETFD));
}

void test_fcntl() {
    int fd = make_file("file", 100);
    check_equal("getfd", 0, fcntl(fd, F_GETFD));
    check_works("setfd", fcntl(fd, F_SETFD, FD_CLOEXEC));
    check_equal("getfd_set", FD_CLOEXEC, fcntl(fd, F_GETFD));
    int other = open("file", O_RDONLY | O_CLOEXEC);
    check_equal("open_cloexec", FD_CLOEXEC, fcntl(other, F_GETFD));
    check_equal("getfl_mode", O_RDWR, fcntl(fd, F_GETFL) & O_ACCMODE);
    check_equal("getfl_read_only", O_RDONLY, fcntl(other, F_GETFL) & O_ACCMODE);
    constexpr int kStatus = O_ACCMODE | O_APPEND | O_NONBLOCK | O_CREAT | O_TRUNC;
    check_works("setfl", fcntl(fd, F_SETFL, O_NONBLOCK | O_WRONLY));
    check_equal("setfl_keeps_mode", O_RDWR | O_NONBLOCK, fcntl(fd, F_GETFL) & kStatus);
    int twin = dup(fd);
    check_equal("setfl_shared_by_dup", O_RDWR | O_NONBLOCK, fcntl(twin, F_GETFL) & kStatus);
    check_equal("dupfd", 50, fcntl(fd, F_DUPFD, 50));
    check_equal("dupfd_next", 51, fcntl(fd, F_DUPFD, 50));
    check_equal("dupfd_no_cloexec", 0, fcntl(51, F_GETFD));
    check_equal("dupfd_cloexec", 52, fcntl(fd, F_DUPFD_CLOEXEC, 50));
    check_equal("dupfd_cloexec_set", FD_CLOEXEC, fcntl(52, F_GETFD));
    check_fails("dupfd_negative", EINVAL, fcntl(fd, F_DUPFD, -1));
    check_fails("dupfd_huge", EINVAL, fcntl(fd, F_DUPFD, 1 << 30));
    check_fails("unknown_command", EINVAL, fcntl(fd, 9999));
    check_fails("bad_descriptor", EBADF, fcntl(900, F_GETFD));
    check_fails("bad_descriptor_getfl", EBADF, fcntl(-1, F_GETFL));
    check_fails("ioctl_on_file", ENOTTY, ioctl(fd, TIOCGWINSZ, nullptr));
    check_fails("ioctl_bad_descriptor", EBADF, ioctl(900, TIOCGWINSZ, nullptr));
    check("isatty_file", !isatty(fd));
    for (int i : {fd, other, twin, 50, 51, 52}) close(i);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return;
    check_equal("pipe2_cloexec", FD_CLOEXEC, fcntl(ends[0], F_GETFD));
    check_equal("pipe2_nonblock", O_WRONLY | O_NONBLOCK, fcntl(ends[1], F_GETFL) & kStatus);
    check_fails("pipe2_flags", EINVAL, pipe2(ends, 0x10000000));
    write(ends[1], "12345", 5);
    int waiting = 0;
    check_works("fionread", ioctl(ends[0], FIONREAD, &waiting));
    check_equal("fionread_count", 5, waiting);
    close(ends[0]);
    close(ends[1]);
}

namespace {

long lock(int fd, int type, long start, long length, int command = F_SETLK) {
    struct flock wanted = {};
    wanted.l_type = type;
    wanted.l_whence = SEEK_SET;
    wanted.l_start = start;
    wanted.l_len = length;
    return fcntl(fd, command, &wanted);
}

// What another process gets for this lock: 0, or the error.
int lock_elsewhere(int type, long start, long length) {
    int status = run_child([&] {
        int own = open("file", O_RDWR);
        return lock(own, type, start, length) == 0 ? 0 : errno;
    });
    return WEXITSTATUS(status);
}

void test_lock_ranges(int fd) {
    check_works("write_lock", lock(fd, F_WRLCK, 10, 10));
    check_equal("conflict", EAGAIN, lock_elsewhere(F_WRLCK, 10, 10));
    check_equal("conflict_partial", EAGAIN, lock_elsewhere(F_RDLCK, 5, 6));
    check_equal("conflict_to_end", EAGAIN, lock_elsewhere(F_RDLCK, 0, 0));
    check_equal("before", 0, lock_elsewhere(F_WRLCK, 0, 10));
    check_equal("behind", 0, lock_elsewhere(F_WRLCK, 20, 0));
    check_works("own_again", lock(fd, F_WRLCK, 5, 20));
    check_works("unlock_middle", lock(fd, F_UNLCK, 12, 3));
    check_equal("middle_is_free", 0, lock_elsewhere(F_WRLCK, 12, 3));
    check_equal("left_is_held", EAGAIN, lock_elsewhere(F_WRLCK, 11, 1));
    check_equal("right_is_held", EAGAIN, lock_elsewhere(F_WRLCK, 15, 1));
    check_works("unlock_all", lock(fd, F_UNLCK, 0, 0));
    check_equal("all_free", 0, lock_elsewhere(F_WRLCK, 0, 0));
    check_works("read_lock", lock(fd, F_RDLCK, 0, 10));
    check_equal("readers_share", 0, lock_elsewhere(F_RDLCK, 0, 10));
    check_equal("writer_does_not", EAGAIN, lock_elsewhere(F_WRLCK, 0, 10));
    check_works("upgrade", lock(fd, F_WRLCK, 0, 10));
    check_equal("upgraded", EAGAIN, lock_elsewhere(F_RDLCK, 0, 10));
    int other = open("file", O_RDONLY);
    close(other);
    check_equal("any_close_unlocks", 0, lock_elsewhere(F_WRLCK, 0, 10));
}

void test_lock_owner(int fd) {
    lock(fd, F_WRLCK, 3, 4);
    pid_t owner = getpid();
    check_exited("getlk", 0, run_child([&] {
                     struct flock found = {};
                     found.l_type = F_WRLCK;
                     if (fcntl(fd, F_GETLK, &found) != 0) return 1;
                     if (found.l_type != F_WRLCK || found.l_pid != owner) return 2;
                     return found.l_start == 3 && found.l_len == 4 ? 0 : 3;
                 }));
    struct flock own = {};
    own.l_type = F_WRLCK;
    check_works("getlk_own", fcntl(fd, F_GETLK, &own));
    check_equal("getlk_own_is_no_conflict", F_UNLCK, own.l_type);
    lock(fd, F_UNLCK, 0, 0);
    check_exited("child_locks_and_exits", 0,
                 run_child([&] { return static_cast<int>(lock(fd, F_WRLCK, 0, 0)); }));
    check_works("exit_unlocks", lock(fd, F_WRLCK, 0, 0));
}

// A child waits for the lock; what it reads then is what was written under it.
void test_lock_wait(int fd) {
    lock(fd, F_WRLCK, 0, 0);
    pwrite(fd, "?", 1, 0);
    pid_t child = start_child([&] {
        char byte = 0;
        if (lock(fd, F_WRLCK, 0, 0, F_SETLKW) != 0) return 1;
        pread(fd, &byte, 1, 0);
        return byte == '!' ? 0 : 2;
    });
    sleep_ms(30);
    pwrite(fd, "!", 1, 0);
    lock(fd, F_UNLCK, 0, 0);
    check_exited("waits", 0, wait_status(child));
}

}  // namespace

void test_locks() {
    int fd = make_file("file", 100);
    test_lock_ranges(fd);
    test_lock_owner(fd);
    test_lock_wait(fd);
    int reader = open("file", O_RDONLY);
    check_fails("write_lock_on_read_only", EBADF, lock(reader, F_WRLCK, 0, 1));
    check_fails("negative_start", EINVAL, lock(fd, F_WRLCK, -1, 1));
    check_fails("unknown_type", EINVAL, lock(fd, 77, 0, 1));
    struct flock end = {};
    end.l_type = F_WRLCK;
    end.l_whence = SEEK_END;
    end.l_start = -10;
    end.l_len = 5;
    lock(fd, F_UNLCK, 0, 0);
    check_works("from_end", fcntl(fd, F_SETLK, &end));
    check_equal("from_end_held", EAGAIN, lock_elsewhere(F_RDLCK, 90, 5));
    check_equal("from_end_before", 0, lock_elsewhere(F_RDLCK, 89, 1));
    check_equal("from_end_behind", 0, lock_elsewhere(F_RDLCK, 95, 1));
    check_fails("bad_descriptor", EBADF, lock(900, F_RDLCK, 0, 1));
    close(reader);
    close(fd);
}

void test_sendfile() {
    char buffer[kPage * 2];
    int from = make_file("from", 6000), to = make_file("to", 0), ends[2];
    off_t offset = 100;
    check_equal("to_file", 5000, sendfile(to, from, &offset, 5000));
    check_equal("offset_moved", 5100, offset);
    check_equal("file_offset_kept", 0, lseek(from, 0, SEEK_CUR));
    check_equal("read_back", 5000, pread(to, buffer, sizeof buffer, 0));
    check_equal("bytes", 5000, filled_until(buffer, 5000, 100));
    check_equal("short_at_end", 900, sendfile(to, from, &offset, 5000));
    check_equal("at_end", 0, sendfile(to, from, &offset, 5000));
    check_equal("own_offset", 4000, sendfile(to, from, nullptr, 4000));
    check_equal("own_offset_moved", 4000, lseek(from, 0, SEEK_CUR));
    if (pipe(ends) != 0) return;
    check_equal("to_pipe", 2000, sendfile(ends[1], from, nullptr, 4000));
    check_equal("from_pipe_end", 2000, read(ends[0], buffer, sizeof buffer));
    check_equal("pipe_bytes", 2000, filled_until(buffer, 2000, 4000));
    check_fails("bad_output", EBADF, sendfile(900, from, nullptr, 1));
    check_fails("bad_input", EBADF, sendfile(to, 900, nullptr, 1));
    check_fails("output_not_writable", EBADF, sendfile(ends[0], from, nullptr, 1));
    close(ends[0]);
    close(ends[1]);
    close(from);
    close(to);
}
