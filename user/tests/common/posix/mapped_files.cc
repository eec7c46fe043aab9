// Mappings of files, private and shared, and shared anonymous memory.
#include <sys/wait.h>

#include <atomic>

#include "user/tests/common/posix/posix.h"

namespace {

constexpr int kReadWrite = PROT_READ | PROT_WRITE;

char* map_file(int fd, size_t size, int protection, int flags, long offset = 0) {
    void* at = mmap(nullptr, size, protection, flags, fd, offset);
    return at == MAP_FAILED ? nullptr : static_cast<char*>(at);
}
long map_result(int fd, int protection, int flags, long offset = 0) {
    return syscall(SYS_mmap, nullptr, kPage, protection, flags, fd, offset);
}

void test_private(int fd) {
    char* at = map_file(fd, 10000, kReadWrite, MAP_PRIVATE);
    if (!check("private", at != nullptr)) return;
    check_equal("private_contents", 10000, filled_until(at, 10000));
    check("zero_behind_the_end", all_bytes(at + 10000, 3 * kPage - 10000, 0));
    memset(at, '#', 100);
    char buffer[100];
    pread(fd, buffer, sizeof buffer, 0);
    check_equal("private_write_stays_private", 100, filled_until(buffer, 100));
    pwrite(fd, "outside", 7, 50);
    check("private_copy_is_detached", all_bytes(at, 100, '#'));
    fill(buffer, 7, 50);
    pwrite(fd, buffer, 7, 50);
    check_exited("child_writes_its_copy", 0, run_child([&] { return memset(at, '@', 100), 0; }));
    check("child_copy_is_its_own", all_bytes(at, 100, '#'));
    check_works("discard", madvise(at, kPage, MADV_DONTNEED));
    check_equal("discard_shows_the_file", kPage, filled_until(at, kPage));
    munmap(at, 10000);
    at = map_file(fd, kPage, PROT_READ, MAP_PRIVATE, kPage);
    check_equal("offset", kPage, filled_until(at, kPage, kPage));
    check_works("private_of_read_only", mprotect(at, kPage, kReadWrite));
    at[0] = 1;
    munmap(at, kPage);
}

void test_shared(int fd) {
    char buffer[100];
    char* at = map_file(fd, 10000, kReadWrite, MAP_SHARED);
    if (!check("shared", at != nullptr)) return;
    check_equal("shared_contents", 10000, filled_until(at, 10000));
    memcpy(at + 5000, "from memory", 11);
    check_equal("shared_pread", 11, pread(fd, buffer, 11, 5000));
    check_bytes("shared_write_reaches_the_file", "from memory", buffer, 11);
    pwrite(fd, "from a call", 11, 6000);
    check_bytes("write_reaches_the_mapping", "from a call", at + 6000, 11);
    char* second = map_file(fd, 10000, PROT_READ, MAP_SHARED);
    at[7000] = '2';
    check_equal("two_mappings", '2', second[7000]);
    check_exited("child_writes", 0, run_child([&] { return at[8000] = 'c', 0; }));
    check_equal("child_is_seen", 'c', at[8000]);
    close(fd);
    unlink("file");
    at[1] = 'x';
    check_equal("survives_close_and_unlink", 'x', second[1]);
    munmap(at, 10000);
    check_equal("other_mapping_survives", 'x', second[1]);
    munmap(second, 10000);
}

void test_size_changes() {
    int fd = make_file("sized", 3 * kPage);
    char* at = map_file(fd, 3 * kPage, kReadWrite, MAP_SHARED);
    at[2 * kPage] = 1;
    check_works("shrink", ftruncate(fd, kPage + 10));
    check_killed("behind_the_end", SIGBUS, status_of_read(at + 2 * kPage));
    check_exited("last_page", 0, status_of_read(at + kPage + 100));
    check_killed("write_behind_the_end", SIGBUS, status_of_write(at + 2 * kPage));
    check_fails("call_behind_the_end", EFAULT, write(fd, at + 2 * kPage, 1));
    check_works("grow", ftruncate(fd, 3 * kPage));
    check_exited("again_there", 0, status_of_read(at + 2 * kPage));
    check_equal("again_zero", 0, at[2 * kPage]);
    check_equal("cut_bytes_are_zero", 0, at[kPage + 10]);
    munmap(at, 3 * kPage);
    int empty = make_file("empty", 0);
    at = map_file(empty, kPage, PROT_READ, MAP_SHARED);
    check("empty_can_be_mapped", at != nullptr);
    check_killed("empty_cannot_be_read", SIGBUS, status_of_read(at));
    pwrite(empty, "x", 1, 0);
    check_equal("grown_can_be_read", 'x', *at);
    close(empty);
    close(fd);
}

void test_rights() {
    int fd = make_file("rights", kPage);
    close(fd);
    int reader = open("rights", O_RDONLY), writer = open("rights", O_WRONLY);
    check_fails("shared_write_of_read_only", EACCES, map_result(reader, kReadWrite, MAP_SHARED));
    check_fails("write_only", EACCES, map_result(writer, PROT_READ, MAP_PRIVATE));
    check_fails("write_only_shared", EACCES, map_result(writer, PROT_WRITE, MAP_SHARED));
    char* at = map_file(reader, kPage, PROT_READ, MAP_SHARED);
    check_fails("mprotect_read_only", EACCES, mprotect(at, kPage, kReadWrite));
    check_killed("write_read_only", SIGSEGV, status_of_write(at));
    check_fails("offset_unaligned", EINVAL, map_result(reader, PROT_READ, MAP_PRIVATE, 100));
    check_fails("bad_descriptor", EBADF, map_result(900, PROT_READ, MAP_PRIVATE));
    int ends[2];
    if (pipe(ends) == 0) {
        check_fails("pipe", ENODEV, map_result(ends[0], PROT_READ, MAP_PRIVATE));
    }
    int dir = open(".", O_RDONLY | O_DIRECTORY);
    check_fails("directory", ENODEV, map_result(dir, PROT_READ, MAP_PRIVATE));
    close(dir);
    close(reader);
    close(writer);
}

}  // namespace

void test_file_mappings() {
    int fd = make_file("file", 10000);
    test_private(fd);
    test_shared(fd);
    test_size_changes();
    test_rights();
    // A read into memory that a mapping of the same file holds must not lock itself out.
    fd = make_file("self", 2 * kPage);
    char* at = map_file(fd, 2 * kPage, kReadWrite, MAP_SHARED);
    check_equal("read_into_own_mapping", kPage, pread(fd, at, kPage, kPage));
    check_equal("read_into_own_mapping_bytes", kPage, filled_until(at, kPage, kPage));
    char* untouched = map_file(fd, 2 * kPage, kReadWrite, MAP_SHARED);
    check_equal("write_from_own_mapping", kPage, pwrite(fd, untouched + kPage, kPage, 0));
    close(fd);
}

void test_shared_mappings() {
    auto* words = static_cast<std::atomic<int>*>(
        mmap(nullptr, 4 * kPage, kReadWrite, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    if (!check("anonymous", words != MAP_FAILED)) return;
    check("zero", all_bytes(words, 4 * kPage, 0));
    pid_t children[4];
    for (pid_t& child : children) {
        child = start_child([&] {
            for (int i = 0; i < 10000; i++) words[2000].fetch_add(1);
            return 0;
        });
    }
    for (pid_t child : children) check_exited("adds", 0, wait_status(child));
    check_equal("sum", 40000, words[2000].load());
    // Not touched before the fork, so the page is made while two spaces share it.
    run_child([&] { return words[3000] = 77, 0; });
    check_equal("page_made_by_child", 77, words[3000].load());
    run_child([&] { return munmap(words, 4 * kPage); });
    check_equal("child_unmap_is_its_own", 77, words[3000].load());
    pid_t waiter = start_child([&] {
        for (int i = 0; i < 5000 && words[0] == 0; i++) sleep_ms(1);
        return words[0].load();
    });
    words[0] = 42;
    check_exited("seen_while_running", 42, wait_status(waiter));
    // Grandchildren too.
    check_exited("grandchild", 0, run_child([&] {
                     return WEXITSTATUS(run_child([&] { return words[100] = 5, 0; }));
                 }));
    check_equal("grandchild_seen", 5, words[100].load());
}
