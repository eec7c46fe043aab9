#include "user/tests/lib/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

constexpr int kLostResult = 120;
constexpr size_t kLongestLine = 500;
constexpr off_t kLargestData = 16 << 20;

struct Channel {
    bool open = false;
    int fd = 1;
    char key[80] = "-";
};
Channel channel;

[[noreturn]] void lose(const char* what) {
    dprintf(2, "report: %s: %s\n", what, strerror(errno));
    _exit(kLostResult);
}

void open_channel() {
    channel.open = true;
    int file = open("/run/mello/key", O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    ssize_t got = read(file, channel.key, sizeof channel.key - 1);
    if (got <= 0) lose("/run/mello/key");
    close(file);
    channel.key[got] = '\0';
    channel.key[strcspn(channel.key, " \r\n")] = '\0';
    channel.fd = open("/dev/ttyS3", O_WRONLY | O_NOCTTY | O_CLOEXEC);
    if (channel.fd < 0) lose("/dev/ttyS3");
}

}  // namespace

void report(const char* name, const char* format, ...) {
    if (!channel.open) open_channel();
    char line[kLongestLine + 1];
    size_t length = snprintf(line, sizeof line, "%s %s ", channel.key, name);
    if (length < kLongestLine) {
        va_list args;
        va_start(args, format);
        length += vsnprintf(line + length, sizeof line - length, format, args);
        va_end(args);
    }
    if (length > kLongestLine - 1) length = kLongestLine - 1;
    for (size_t i = 0; i < length; i++) {
        if (line[i] == '\n') line[i] = ' ';
    }
    line[length++] = '\n';
    ssize_t written;
    do {
        written = write(channel.fd, line, length);
    } while (written < 0 && errno == EINTR);
    if (written != static_cast<ssize_t>(length)) lose("/dev/ttyS3");
}

bool report_is_heard() {
    if (!channel.open) open_channel();
    return channel.fd != 1;
}

void wait_for_host(const char* name) {
    static volatile uint64_t flag;
    if (!report_is_heard()) return;
    flag = kWaitingForHost;
    report(name, "%#lx", reinterpret_cast<unsigned long>(&flag));
    while (flag != 1) asm volatile("pause");
}

std::string_view host_data(const char* name) {
    char path[256];
    snprintf(path, sizeof path, "/run/mello/data/%s", name);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return {};
    struct stat info;
    if (fstat(file, &info) != 0 || info.st_size > kLargestData) lose(path);
    // Into memory of its own by plain reads: mapping files may be what is under test. One
    // byte more, so that numbers end in a zero and an empty file is not a null pointer.
    void* memory = mmap(nullptr, info.st_size + 1, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) lose(path);
    auto* bytes = static_cast<char*>(memory);
    off_t have = 0;
    while (have < info.st_size) {
        ssize_t got = read(file, bytes + have, info.st_size - have);
        if (got <= 0) lose(path);
        have += got;
    }
    close(file);
    return {bytes, static_cast<size_t>(have)};
}

uint64_t host_number(const char* name, uint64_t otherwise) {
    std::string_view text = host_data(name);
    return text.data() == nullptr ? otherwise : strtoull(text.data(), nullptr, 0);
}
