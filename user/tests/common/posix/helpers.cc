#include <time.h>

#include "user/tests/common/posix/posix.h"

namespace {

[[noreturn]] void give_up(const char* what) {
    check_failed("set_up", Where::current(), "%s: %s", what, error_name(errno));
    _exit(3);
}

}  // namespace

void fill(void* memory, size_t size, size_t first) {
    auto* bytes = static_cast<char*>(memory);
    for (size_t i = 0; i < size; i++) bytes[i] = pattern(first + i);
}

size_t filled_until(const void* memory, size_t size, size_t first) {
    const auto* bytes = static_cast<const char*>(memory);
    size_t i = 0;
    while (i < size && bytes[i] == pattern(first + i)) i++;
    return i;
}

bool all_bytes(const void* memory, size_t size, char value) {
    const auto* bytes = static_cast<const char*>(memory);
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != value) return false;
    }
    return true;
}

int make_file(const char* name, size_t size, mode_t mode) {
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, mode);
    if (fd < 0) give_up(name);
    char buffer[1000];
    for (size_t done = 0; done < size;) {
        size_t piece = size - done < sizeof buffer ? size - done : sizeof buffer;
        fill(buffer, piece, done);
        ssize_t put = write(fd, buffer, piece);
        if (put <= 0) give_up("write");
        done += put;
    }
    if (lseek(fd, 0, SEEK_SET) != 0) give_up("lseek");
    return fd;
}

void make_text(const char* name, const char* text, mode_t mode) {
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, mode);
    ssize_t length = strlen(text);
    if (fd < 0 || write(fd, text, length) != length || close(fd) != 0) give_up(name);
}

bool exists(const char* name) {
    struct stat info;
    return lstat(name, &info) == 0;
}

long size_of(const char* name) {
    struct stat info;
    return stat(name, &info) == 0 ? info.st_size : -1;
}

ino_t inode_of(const char* name) {
    struct stat info;
    return lstat(name, &info) == 0 ? info.st_ino : 0;
}

char* map_pages(size_t pages, int protection) {
    void* at = mmap(nullptr, pages * kPage, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) give_up("mmap");
    return static_cast<char*>(at);
}

// At addresses of their own, far from where mmap puts things: what is unmapped must stay so.
char* unmapped_page() { return reinterpret_cast<char*>(0x520000000000); }

char* page_edge() {
    static char* edge = nullptr;
    if (edge == nullptr) {
        void* page = mmap(reinterpret_cast<void*>(0x530000000000), kPage,
                          PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        if (page == MAP_FAILED) give_up("mmap of the edge");
        memset(page, 'a', kPage);
        edge = static_cast<char*>(page) + kPage;
    }
    return edge;
}

int status_of_read(const volatile char* at) {
    return run_child([at] { return *at, 0; });
}
int status_of_write(volatile char* at) {
    return run_child([at] { return *at = 1, 0; });
}
int status_of_call(const void* at) {
    return run_child([at] {
        asm volatile("call *%0" ::"r"(at) : "memory", "rax", "rcx", "rdx");
        return 0;
    });
}

void sleep_ms(long ms) {
    timespec left = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

uint64_t now_ns() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ull + now.tv_nsec;
}
