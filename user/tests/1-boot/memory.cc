// Lab 1: is the memory that the kernel believes to be free really free, and all there?
//
//   mem_total, cpus   what the kernel says, for the host to compare with the machine
//   blob_hash         of a file that came in the initramfs, before and after
//   fill              `fill_percent` of what is free is filled with a sequence and compared;
//                     free memory that is really a table, the kernel or a module would not
//                     survive that, or would not keep it
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "user/tests/lib/check.h"
#include "user/tests/lib/child.h"
#include "user/tests/lib/figure.h"
#include "user/tests/lib/report.h"

namespace {

// "MemFree:   12345 kB" in /proc/meminfo, in KiB; 0 when it is not there.
unsigned long meminfo(const char* name) {
    FILE* file = fopen("/proc/meminfo", "r");
    if (file == nullptr) return 0;
    char line[128];
    unsigned long value = 0;
    while (fgets(line, sizeof line, file) != nullptr) {
        size_t length = strlen(name);
        if (strncmp(line, name, length) == 0 && line[length] == ':')
            sscanf(line + length + 1, "%lu", &value);
    }
    fclose(file);
    return value;
}

void report_blob(const char* name) {
    int fd = open("/run/mello/data/blob", O_RDONLY);
    uint64_t hash = kHashStart;
    static char buffer[65536];
    for (ssize_t got; (got = read(fd, buffer, sizeof buffer)) > 0;)
        hash = hash_bytes(buffer, got, hash);
    close(fd);
    report(name, "%#lx", hash);
}

void fill(uint64_t percent) {
    constexpr size_t kPage = 4096, kWordsPerPage = 8;
    size_t pages = meminfo("MemFree") * percent / 100 / 4;
    void* memory = mmap(nullptr, pages * kPage, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!check("fill.mmap", memory != MAP_FAILED)) return;
    // Eight words of each page, one in each 512 bytes: other users of a page rarely write
    // less than that.
    auto* words = static_cast<volatile uint64_t*>(memory);
    auto word = [words](size_t page, size_t i) -> volatile uint64_t& {
        return words[page * kPage / 8 + i * 64];
    };
    Sequence writing(pages), reading(pages);
    size_t not_zero = 0, changed = 0;
    for (size_t page = 0; page < pages; page++) {
        for (size_t i = 0; i < kWordsPerPage; i++) {
            not_zero += word(page, i) != 0;
            word(page, i) = writing.next();
        }
    }
    for (size_t page = 0; page < pages; page++) {
        for (size_t i = 0; i < kWordsPerPage; i++) changed += word(page, i) != reading.next();
    }
    check_equal("fill.words_not_zero_at_first", 0, not_zero);
    check_equal("fill.words_that_changed", 0, changed);
    report("filled_kib", "%zu", pages * 4);
    munmap(memory, pages * kPage);
}

}  // namespace

int main() {
    report("mem_total", "%lu", meminfo("MemTotal"));
    report("cpus", "%u", cpu_count());
    report_blob("blob_hash");
    uint64_t percent = host_number("fill_percent", 0);
    if (percent > 0) fill(percent);
    report_blob("blob_hash_after");
    // The programs in the initramfs are whole, too.
    check_exited("after.exec", 0, run_child([] {
        execl("/bin/busybox", "busybox", "true", static_cast<char*>(nullptr));
        return 1;
    }));
    return check_summary("memory");
}
