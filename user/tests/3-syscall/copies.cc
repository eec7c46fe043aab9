// Lab 3, user_copy.S in the running kernel: what reaches user memory and what does not.
//
//   sizes      0 to 300 bytes from and to any alignment, between guard bytes; data of the host
//   partial    a buffer that ends at an unmapped page: exactly what fits is transferred
//   addresses  kernel, non-canonical and overflowing addresses are EFAULT in every direction
//   cow        pages shared after fork: a copy into them changes one side only
//   strings    paths that end at the end of a page, do not end, or are too long
//
// Host data: `copies`, a file of at least 4096 bytes; `copies_seed`. Reported: `copies_hash`,
// FNV-1a over 600 pieces: offset = s.below(size - 300), length = i % 301, then two alignments
// s.below(64), of Sequence s(copies_seed).
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <utility>

#include "user/tests/lib/check.h"
#include "user/tests/lib/child.h"
#include "user/tests/lib/report.h"

namespace {

constexpr size_t kPage = 4096;
constexpr size_t kLongest = 300;
constexpr size_t kCounts[] = {0,  1,  2,   7,   8,   9,   15,  16,  31,  63,
                              64, 65, 127, 128, 200, 255, 256, 257, 300, 1000};

int open_data() {
    int fd = open("/run/mello/data/copies", O_RDONLY);
    if (fd >= 0) return fd;
    static char bytes[30000];
    Sequence(1).fill(bytes, sizeof bytes);
    fd = open("/tmp/copies.default", O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (write(fd, bytes, sizeof bytes) != sizeof bytes) return -1;
    unlink("/tmp/copies.default");
    return fd;
}

int scratch_file() {
    int fd = open("/tmp/copies.scratch", O_RDWR | O_CREAT | O_TRUNC, 0600);
    unlink("/tmp/copies.scratch");
    return fd;
}

bool all_are(const char* bytes, size_t size, char value) {
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != value) return false;
    }
    return true;
}

// Two pages, and nothing behind them. Returns their end.
char* memory_with_an_end() {
    void* memory = mmap(nullptr, 3 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                        -1, 0);
    if (memory == MAP_FAILED) return nullptr;
    char* end = static_cast<char*>(memory) + 2 * kPage;
    munmap(end, kPage);
    return end;
}

// Data -> buffer -> scratch file -> another buffer, both at any alignment.
void test_sizes(int data, uint64_t seed) {
    struct stat info;
    fstat(data, &info);
    static char first[512], second[512];
    int file = scratch_file();
    Sequence sequence(seed);
    uint64_t hash = kHashStart, short_counts = 0, spills = 0;
    for (int i = 0; i < 600; i++) {
        uint64_t offset = sequence.below(info.st_size - kLongest);
        size_t length = i % (kLongest + 1), in = 64 + sequence.below(64),
               out = 64 + sequence.below(64);
        memset(first, '#', sizeof first);
        memset(second, '#', sizeof second);
        ssize_t size = length;
        if (pread(data, first + in, length, offset) != size) short_counts++;
        if (pwrite(file, first + in, length, i * 301l) != size) short_counts++;
        if (pread(file, second + out, length, i * 301l) != size) short_counts++;
        hash = hash_bytes(second + out, length, hash);
        for (auto [buffer, at] : {std::pair(first, in), std::pair(second, out)}) {
            bool clean = all_are(buffer, at, '#') &&
                         all_are(buffer + at + length, sizeof first - at - length, '#');
            if (!clean) spills++;
        }
    }
    check_equal("sizes.short_counts", 0, short_counts);
    check_equal("sizes.bytes_outside_the_buffer", 0, spills);
    report("copies_hash", "%016lx", hash);
    close(file);
}

// `expected` bytes fit: that many, or EFAULT when there are none.
void check_partial(const char* name, size_t expected, ssize_t got) {
    if (expected == 0) {
        check_fails(name, EFAULT, got);
    } else {
        check_equal(name, expected, got);
    }
}

void test_partial(int data) {
    char* end = memory_with_an_end();
    if (!check("partial.memory", end != nullptr)) return;
    static char wanted[4096], back[4096];
    pread(data, wanted, sizeof wanted, 0);
    int file = scratch_file(), zero = open("/dev/zero", O_RDONLY);
    check_quietly(true);
    for (size_t fits : kCounts) {
        char* start = end - fits;
        // Into user memory: the bytes before the fault are there, and none before those.
        memset(end - 1100, '-', 1100);
        check_partial("partial.read", fits, pread(data, start, fits + 70, 0));
        check_bytes("partial.read_bytes", wanted, start, fits);
        check("partial.read_below", all_are(end - 1100, 1100 - fits, '-'));
        memset(end - 1100, '-', 1100);
        check_partial("partial.zeros", fits, read(zero, start, fits + 70));
        check("partial.zeros_bytes", all_are(start, fits, 0));
        check("partial.zeros_below", all_are(end - 1100, 1100 - fits, '-'));
        // Out of user memory, to a file and through a pipe.
        memcpy(start, wanted + 100, fits);
        check_equal("partial.truncate", 0, ftruncate(file, 0));
        check_partial("partial.write", fits, pwrite(file, start, fits + 70, 0));
        check_equal("partial.file_size", fits, lseek(file, 0, SEEK_END));
        check_equal("partial.read_back", fits, pread(file, back, sizeof back, 0));
        check_bytes("partial.write_bytes", wanted + 100, back, fits);
    }
    check_quietly(false);
    check_equal("partial.all_counts", 0, check_counts().failures);
    close(file);
    close(zero);
}

void test_addresses(int data) {
    constexpr uint64_t kBad[] = {
        0,                   // nothing is mapped there
        0x7ffffffff000,      // the first address above user space
        0x800000000000,      // not canonical
        0xdead000000000000,  // nor is this
        0xffff7fffffffffff,  // the last before the kernel's half
        0xffff800000000000,  // the kernel's direct map
        0xffffffff80100000,  // the kernel image
        0xffffffffffffffff,  // + size overflows
        0xfffffffffffffff8,
    };
    int file = scratch_file();
    char outcome[100];
    check_works("addresses.write", write(file, "0123456789", 10));
    for (uint64_t bad : kBad) {
        auto at = [&](const char* call) {
            snprintf(outcome, sizeof outcome, "addresses.%s_%#lx", call,
                     static_cast<unsigned long>(bad));
            return outcome;
        };
        check_fails(at("read"), EFAULT, syscall(SYS_pread64, data, bad, 16, 0));
        check_fails(at("write"), EFAULT, syscall(SYS_pwrite64, file, bad, 16, 0));
        check_fails(at("uname"), EFAULT, syscall(SYS_uname, bad));
        check_fails(at("path"), EFAULT, syscall(SYS_access, bad, 0));
        check_fails(at("sleep"), EFAULT, syscall(SYS_nanosleep, bad, 0));
    }
    // A huge size from a good address reaches what is there, or nothing; never the kernel.
    static char buffer[64];
    long got = syscall(SYS_pread64, file, buffer, 0x7fffffffffffffff, 0);
    check("addresses.huge_size", got == 10 || (got == -1 && errno == EFAULT));
    check_equal("addresses.file_unharmed", 10, pread(file, buffer, sizeof buffer, 0));
    check_bytes("addresses.file_contents", "0123456789", buffer, 10);
    close(file);
}

// The pages stay shared until the kernel itself writes to one side.
void test_cow(int data) {
    constexpr size_t kSize = 8 * kPage;
    auto* pages = static_cast<char*>(
        mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    memset(pages, 'o', kSize);
    int ready[2], go[2];
    check_works("cow.pipes", pipe(ready) | pipe(go));
    pid_t child = start_child([&] {
        char token = 0;
        // Across a page border, while the parent still has the page.
        bool kept = pread(data, pages + 5 * kPage - 100, 200, 0) == 200;
        kept &= write(ready[1], "r", 1) == 1 && read(go[0], &token, 1) == 1;
        kept &= all_are(pages, 5 * kPage - 100, 'o') &&
                all_are(pages + 5 * kPage + 100, 3 * kPage - 100, 'o');
        return kept ? 0 : 1;
    });
    char token;
    check_equal("cow.child_is_ready", 1, read(ready[0], &token, 1));
    check("cow.parent_unchanged_by_the_child", all_are(pages, kSize, 'o'));
    static char wanted[kPage];
    check_equal("cow.read", 1000, pread(data, pages + kPage - 500, 1000, 0));
    check_equal("cow.read_again", 1000, pread(data, wanted, 1000, 0));
    check_bytes("cow.parent_has_the_data", wanted, pages + kPage - 500, 1000);
    check_equal("cow.go", 1, write(go[1], "g", 1));
    check_exited("cow.child_unchanged_by_the_parent", 0, wait_status(child));
    // Read-only pages stay so for the kernel.
    check_equal("cow.protect", 0, mprotect(pages, kPage, PROT_READ));
    check_fails("cow.read_into_read_only", EFAULT, pread(data, pages, 100, 0));
    munmap(pages, kSize);
}

void test_strings() {
    char* end = memory_with_an_end();
    if (!check("strings.memory", end != nullptr)) return;
    char path[64] = "/tmp/copies-";
    check_quietly(true);
    for (int i = 0; i < 24; i++) {
        size_t length = strlen(path);
        int fd = open(path, O_RDWR | O_CREAT, 0600);
        check_works("strings.create", fd);
        close(fd);
        // The terminator is the last byte that can be read.
        char* at = end - length - 1;
        memcpy(at, path, length + 1);
        check_equal("strings.ends_with_the_page", 0, access(at, F_OK));
        end[-1] = 'x';
        check_fails("strings.does_not_end", EFAULT, access(at, F_OK));
        // And in the middle, with other bytes behind it.
        memset(end - 200, 'y', 200);
        memcpy(end - 150 - i, path, length + 1);
        check_equal("strings.bytes_behind_it", 0, access(end - 150 - i, F_OK));
        unlink(path);
        path[length] = static_cast<char>('a' + i);
        path[length + 1] = '\0';
    }
    check_quietly(false);
    static char endless[2 * PATH_MAX];
    memset(endless, '/', sizeof endless);
    check_fails("strings.too_long", ENAMETOOLONG, access(endless, F_OK));
    endless[PATH_MAX] = '\0';
    check_fails("strings.one_too_long", ENAMETOOLONG, access(endless, F_OK));
    endless[PATH_MAX - 1] = '\0';
    check_equal("strings.longest", 0, access(endless, F_OK));
    check_fails("strings.empty", ENOENT, access("", F_OK));
}

}  // namespace

int main() {
    int data = open_data();
    if (!check_works("open_data", data)) return 1;
    test_sizes(data, host_number("copies_seed", 1));
    test_partial(data);
    test_addresses(data);
    test_cow(data);
    test_strings();
    return check_summary("copies");
}
