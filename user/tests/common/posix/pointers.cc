// Every call that takes a pointer gets pointers that it must refuse with EFAULT: without a
// mapping, without the right, running from a page into nothing, into the kernel, not canonical,
// wrapping. None may kill the caller, let alone the kernel, or tell it a byte of the kernel.
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

#include <initializer_list>

#include "user/tests/common/posix/posix.h"
#include "user/tests/lib/futex.h"

namespace {

enum Options : unsigned {
    kPlain = 0,
    kNullIsFine = 1,   // a null pointer means something
    kNoEdge = 2,       // a partial result or EINVAL at the edge of a page is right as well
    kWritten = 4,      // the kernel writes there: a read-only page must be refused
};

int file_fd, dir_fd, pipe_ends[2];

struct BadAddress {
    const char* what;
    void* address;
};

void* pointer(uint64_t value) { return reinterpret_cast<void*>(value); }

// `call` gets the address and must fail with EFAULT.
template <typename Call>
bool refuses(const char* name, Call& call, BadAddress bad, Where where) {
    errno = 0;
    long got = call(bad.address);
    if (got == -1 && errno == EFAULT) return true;
    check_failed(name, where, "expected EFAULT for %s (%p), got %s", bad.what, bad.address,
                 got == -1 ? error_name(errno) : "success");
    return false;
}

template <typename Call>
void check_refuses(const char* name, unsigned options, Call call,
                   Where where = Where::current()) {
    static char* forbidden = map_pages(1, PROT_NONE);
    static char* constant = map_pages(1, PROT_READ);
    bool good = true;
    for (BadAddress bad : std::initializer_list<BadAddress>{
             {"the first page", pointer(64)},
             {"an unmapped page", unmapped_page()},
             {"a page without rights", forbidden},
             {"the end of user space", pointer(0x7ffffffff000)},
             {"a non-canonical address", pointer(0x0000800000000000)},
             {"a high non-canonical address", pointer(0x8000000000000000)},
             {"the lowest kernel address", pointer(0xffff800000000000)},
             {"the kernel's direct map", pointer(0xffff888000001000)},
             {"the kernel's image", pointer(0xffffffff81000000)},
             {"the highest addresses", pointer(0xffffffffffffffc0)}}) {
        good = good && refuses(name, call, bad, where);
    }
    auto also_refuses = [&](BadAddress bad) {
        good = good && refuses(name, call, bad, where);
    };
    if (!(options & kNullIsFine)) also_refuses({"null", nullptr});
    if (!(options & kNoEdge)) also_refuses({"the last byte before nothing", page_edge() - 1});
    if (options & kWritten) also_refuses({"a read-only page", constant});
    if (good) check_passed(name);
}

}  // namespace

#define CALL(name, options, ...)                         \
    check_refuses(#name, options, [&](void* at) -> long { \
        return syscall(SYS_##name, __VA_ARGS__);          \
    })

namespace {

void test_outputs_of_files() {
    CALL(read, kWritten | kNoEdge, (lseek(file_fd, 0, SEEK_SET), file_fd), at, 16);
    CALL(pread64, kWritten | kNoEdge, file_fd, at, 16, 0);
    CALL(stat, kWritten, "file", at);
    CALL(lstat, kWritten, "file", at);
    CALL(fstat, kWritten, file_fd, at);
    CALL(newfstatat, kWritten, AT_FDCWD, "file", at, 0);
    CALL(statfs, kWritten, "file", at);
    CALL(fstatfs, kWritten, file_fd, at);
    CALL(getcwd, kWritten, at, 4096);
    CALL(readlink, kWritten, "link", at, 100);
    CALL(readlinkat, kWritten, AT_FDCWD, "link", at, 100);
    CALL(getdents64, kWritten, (lseek(dir_fd, 0, SEEK_SET), dir_fd), at, 4096);
    CALL(pipe, kWritten, at);
    CALL(pipe2, kWritten, at, O_CLOEXEC);
    int next = dup(0);
    check_equal("pipe_leaves_nothing_open", pipe_ends[1] + 1, next);
    close(next);
    CALL(fcntl, kWritten | kNoEdge, file_fd, F_GETLK, at);
    CALL(sendfile, kWritten | kNullIsFine, pipe_ends[1], file_fd, at, 1);
    CALL(ioctl, kWritten, pipe_ends[0], 0x541b /* FIONREAD */, at);
    // Of a device and of a pipe, where other code copies.
    int fd = open("/dev/zero", O_RDONLY);
    check_refuses("read_zero", kWritten | kNoEdge,
                  [&](void* at) -> long { return read(fd, at, 16); });
    close(fd);
    fd = open("/dev/urandom", O_RDONLY);
    check_refuses("read_urandom", kWritten | kNoEdge,
                  [&](void* at) -> long { return read(fd, at, 16); });
    close(fd);
    write(pipe_ends[1], "0123456789", 10);
    check_refuses("read_pipe", kWritten | kNoEdge,
                  [&](void* at) -> long { return read(pipe_ends[0], at, 5); });
    char buffer[20];
    check("pipe_still_works", read(pipe_ends[0], buffer, sizeof buffer) > 0);
}

void test_outputs_of_processes() {
    CALL(uname, kWritten, at);
    CALL(clock_gettime, kWritten, CLOCK_MONOTONIC, at);
    CALL(clock_getres, kWritten | kNullIsFine, CLOCK_MONOTONIC, at);
    CALL(gettimeofday, kWritten | kNullIsFine, at, 0);
    CALL(time, kWritten | kNullIsFine, at);
    CALL(times, kWritten | kNullIsFine, at);
    CALL(getrusage, kWritten, RUSAGE_SELF, at);
    CALL(sysinfo, kWritten, at);
    CALL(prlimit64, kWritten | kNullIsFine, 0, RLIMIT_NOFILE, 0, at);
    static uid_t id;
    CALL(getresuid, kWritten, at, &id, &id);
    CALL(getresuid, kWritten, &id, &id, at);
    CALL(getresgid, kWritten, &id, at, &id);
    CALL(sched_getaffinity, kWritten, 0, 128, at);
    CALL(getrandom, kWritten | kNoEdge, at, 16, 0);
    CALL(getcpu, kWritten | kNullIsFine, at, 0, 0);
    CALL(rt_sigprocmask, kWritten | kNullIsFine, SIG_BLOCK, 0, at, 8);
    CALL(rt_sigpending, kWritten, at, 8);
    CALL(rt_sigaction, kWritten | kNullIsFine, SIGUSR1, 0, at, 8);
    CALL(sigaltstack, kWritten | kNullIsFine, 0, at);
    CALL(arch_prctl, kWritten, 0x1003 /* ARCH_GET_FS */, at);
    CALL(prctl, kWritten, 16 /* PR_GET_NAME */, at);
    check_refuses("wait4_status", kWritten | kNullIsFine, [](void* at) -> long {
        pid_t child = start_child([] { return 0; });
        long got = syscall(SYS_wait4, child, at, 0, 0);
        int error = errno;
        while (waitpid(child, nullptr, 0) > 0) {
        }
        errno = error;
        return got;
    });
    check_refuses("wait4_usage", kWritten | kNullIsFine, [](void* at) -> long {
        pid_t child = start_child([] { return 0; });
        long got = syscall(SYS_wait4, child, 0, 0, at);
        int error = errno;
        while (waitpid(child, nullptr, 0) > 0) {
        }
        errno = error;
        return got;
    });
}

void open_all() {
    file_fd = make_file("file", 100);
    symlink("some/where/else", "link");
    dir_fd = open(".", O_RDONLY | O_DIRECTORY);
    if (pipe(pipe_ends) != 0) exit(3);
}

}  // namespace

void test_bad_outputs() {
    open_all();
    test_outputs_of_files();
    test_outputs_of_processes();
}

void test_bad_inputs() {
    open_all();
    static iovec good[1];
    CALL(write, kNoEdge, file_fd, at, 16);
    CALL(pwrite64, kNoEdge, file_fd, at, 16, 0);
    check_refuses("write_pipe", kNoEdge,
                  [](void* at) -> long { return write(pipe_ends[1], at, 16); });
    CALL(readv, kPlain, file_fd, at, 1);
    CALL(writev, kPlain, file_fd, at, 1);
    check_refuses("readv_piece", kWritten | kNoEdge, [](void* at) -> long {
        good[0] = {at, 16};
        lseek(file_fd, 0, SEEK_SET);
        return readv(file_fd, good, 1);
    });
    check_refuses("writev_piece", kNoEdge, [](void* at) -> long {
        good[0] = {at, 16};
        return writev(file_fd, good, 1);
    });
    CALL(nanosleep, kPlain, at, 0);
    CALL(clock_nanosleep, kPlain, CLOCK_MONOTONIC, 0, at, 0);
    CALL(poll, kPlain, at, 1, 0);
    static pollfd entry = {-1, 0, 0};
    CALL(ppoll, kNullIsFine, &entry, 1, at, 0, 8);
    static timeval zero;
    static fd_set fds;
    CALL(select, kNullIsFine, 1, at, 0, 0, &zero);
    CALL(select, kNullIsFine, 1, 0, at, 0, &zero);
    CALL(select, kNullIsFine, 1, 0, 0, 0, at);
    CALL(pselect6, kNullIsFine, 1, &fds, 0, 0, at, 0);
    CALL(prlimit64, kNullIsFine, 0, RLIMIT_NOFILE, at, 0);
    CALL(sched_setaffinity, kPlain, 0, 8, at);
    CALL(rt_sigaction, kNullIsFine, SIGUSR1, at, 0, 8);
    CALL(rt_sigprocmask, kNullIsFine, SIG_BLOCK, at, 0, 8);
    CALL(rt_sigsuspend, kPlain, at, 8);
    CALL(sigaltstack, kNullIsFine, at, 0);
    CALL(setitimer, kNullIsFine | kNoEdge, 0, at, 0);
    CALL(utimensat, kNullIsFine, AT_FDCWD, "file", at, 0);
    CALL(fcntl, kNoEdge, file_fd, F_SETLK, at);
    CALL(prctl, kPlain, 15 /* PR_SET_NAME */, at);
    CALL(futex, kNoEdge, at, kFutexWait, 0, 0, 0, 0);
    CALL(futex, kNoEdge, at, kFutexWait | kFutexPrivate, 0, 0, 0, 0);
    static uint32_t word;
    CALL(futex, kNullIsFine, &word, kFutexWait, 0, at, 0, 0);
}

#define PATH_CALL(name, ...) CALL(name, kPlain, __VA_ARGS__)

void test_bad_paths() {
    open_all();
    PATH_CALL(open, at, O_RDONLY, 0);
    PATH_CALL(open, at, O_RDWR | O_CREAT, 0644);
    PATH_CALL(openat, AT_FDCWD, at, O_RDONLY, 0);
    PATH_CALL(creat, at, 0644);
    PATH_CALL(access, at, F_OK);
    PATH_CALL(faccessat, AT_FDCWD, at, F_OK);
    PATH_CALL(chdir, at);
    PATH_CALL(mkdir, at, 0755);
    PATH_CALL(mkdirat, AT_FDCWD, at, 0755);
    PATH_CALL(rmdir, at);
    PATH_CALL(unlink, at);
    PATH_CALL(unlinkat, AT_FDCWD, at, 0);
    PATH_CALL(mknod, at, S_IFREG | 0644, 0);
    PATH_CALL(link, at, "new");
    PATH_CALL(link, "file", at);
    PATH_CALL(symlink, at, "new");
    PATH_CALL(symlink, "file", at);
    PATH_CALL(rename, at, "new");
    PATH_CALL(rename, "file", at);
    check("nothing_was_made", !exists("new"));
    static char buffer[500];
    PATH_CALL(readlink, at, buffer, sizeof buffer);
    PATH_CALL(stat, at, buffer);
    PATH_CALL(lstat, at, buffer);
    PATH_CALL(newfstatat, AT_FDCWD, at, buffer, 0);
    PATH_CALL(statfs, at, buffer);
    PATH_CALL(chmod, at, 0644);
    PATH_CALL(fchmodat, AT_FDCWD, at, 0644);
    PATH_CALL(chown, at, -1, -1);
    PATH_CALL(lchown, at, -1, -1);
    PATH_CALL(fchownat, AT_FDCWD, at, -1, -1, 0);
    PATH_CALL(truncate, at, 0);
    CALL(utimensat, kNullIsFine, AT_FDCWD, at, 0, 0);
    static char* arguments[] = {buffer, nullptr};
    PATH_CALL(execve, at, arguments, arguments);
    CALL(execve, kNullIsFine, own_path(), at, arguments);
    CALL(execve, kNullIsFine, own_path(), arguments, at);
    static char* one[] = {nullptr, nullptr};
    check_refuses("execve_argument", kNullIsFine, [](void* at) -> long {
        one[0] = static_cast<char*>(at);
        return execve(own_path(), one, arguments);
    });
    check_refuses("execve_variable", kNullIsFine, [](void* at) -> long {
        one[0] = static_cast<char*>(at);
        return execve(own_path(), arguments, one);
    });
}

void test_bad_pieces() {
    open_all();
    char* edge = page_edge();
    // What lies before the edge is good; a short count is right, more than that is not.
    ssize_t got = pread(file_fd, edge - 10, 50, 0);
    check("read_across", (got == -1 && errno == EFAULT) || (got > 0 && got <= 10));
    got = pwrite(file_fd, edge - 10, 50, 0);
    check("write_across", (got == -1 && errno == EFAULT) || (got > 0 && got <= 10));
    memset(edge - 10, 'a', 10);
    got = write(pipe_ends[1], edge - 10, 50);
    check("write_pipe_across", (got == -1 && errno == EFAULT) || (got > 0 && got <= 10));
    // Exactly up to the edge is no fault.
    check_equal("read_up_to", 10, pread(file_fd, edge - 10, 10, 0));
    check_equal("write_up_to", 10, pwrite(file_fd, edge - 10, 10, 0));
    strcpy(edge - 5, "file");
    check_works("path_up_to", access(edge - 5, F_OK));
    check_fails("path_missing_its_end", EFAULT, access(edge - 1 - (edge[-1] = 'x', 0), F_OK));
    strcpy(edge - 5, "file");
    struct timespec* moment = reinterpret_cast<timespec*>(edge - sizeof(timespec));
    check_works("structure_up_to", clock_gettime(CLOCK_MONOTONIC, moment));
    iovec pieces[3] = {{edge - 4, 4}, {unmapped_page(), 4}, {edge - 4, 4}};
    memcpy(edge - 4, "good", 4);
    lseek(file_fd, 0, SEEK_SET);
    got = writev(file_fd, pieces, 3);
    check("writev_bad_middle", (got == -1 && errno == EFAULT) || got == 4);
    lseek(file_fd, 0, SEEK_SET);
    got = readv(file_fd, pieces, 3);
    check("readv_bad_middle", (got == -1 && errno == EFAULT) || got == 4);
    // A count of zero touches nothing.
    check_equal("read_nothing", 0, read(file_fd, unmapped_page(), 0));
    check_equal("write_nothing", 0, write(file_fd, unmapped_page(), 0));
    // Memory not touched so far is made on the way, also through several pages.
    int zero = open("/dev/zero", O_RDONLY);
    char* fresh = map_pages(8);
    check_equal("fresh_memory", 7 * kPage, read(zero, fresh + 100, 7 * kPage));
    close(zero);
    int large = make_file("large", 5 * kPage);
    char* untouched = map_pages(6);
    check_equal("fresh_target", 5 * kPage, pread(large, untouched + 50, 5 * kPage, 0));
    check_equal("fresh_target_bytes", 5 * kPage, filled_until(untouched + 50, 5 * kPage));
    // A copy-on-write page as the target of a call: only the caller's copy changes.
    char* shared = map_pages(1);
    memset(shared, 'p', kPage);
    pid_t child = start_child([&] {
        if (pread(large, shared, 100, 0) != 100) return 1;
        return filled_until(shared, 100) == 100 ? 0 : 2;
    });
    check_exited("read_into_shared_page", 0, wait_status(child));
    check("parent_page_untouched", all_bytes(shared, kPage, 'p'));
    close(large);
}
