// The storm: processes that fork, exec, map, share and talk through pipes at the same time, on
// every CPU, for a given time. Everything that is stored is verified, so a page that goes to
// two owners, a lost write or a torn pipe shows as a mismatch and not as luck.
//
//   stress [seconds [seed [workers]]]     default 10 s, seed 1, 2 workers a kind and CPU
//
// A worker is a process of one kind; it runs rounds until the time is over, then sends its
// counts to the parent through a pipe and exits 0, or 1 after a mismatch (which it prints).
//
//   fork    children inherit a pattern copy-on-write, change half of it; neither side may see
//           the other's change; the exit status is computed
//   exec    children exec this program, which checks argv and environment and answers by status
//   map     anonymous and file mappings of random size: fill, protect, move, unmap, verify
//   pipe    a pair of processes sends a random stream in random pieces; both ends hash it
//   file    files written, renamed, truncated, read back, unlinked in a directory per worker
//
// The last lines: counts of all kinds, free memory before and after (/proc/meminfo, where it
// exists), mismatches. Exit status 0 only without any mismatch and with work done by all kinds.
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "user/tests/lib/child.h"
#include "user/tests/lib/figure.h"
#include "user/tests/lib/report.h"

namespace {

uint64_t deadline_ns = 0;

uint64_t now_ns() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ull + now.tv_nsec;
}
bool time_left() { return now_ns() < deadline_ns; }

enum Kind { kFork, kExec, kMap, kPipe, kFile, kKinds };
const char* const kKindNames[kKinds] = {"fork", "exec", "map", "pipe", "file"};

struct Counts {
    uint64_t kind = 0, rounds = 0, bytes = 0, mismatches = 0;
};

Counts counts;

// True when it held. A mismatch is printed at once: the process may not live to sum up.
bool verify(bool held, const char* what, uint64_t detail = 0) {
    if (held) return true;
    counts.mismatches++;
    dprintf(1, "stress: MISMATCH in %s (pid %d, round %lu): %s, %#lx, errno %s\n",
            kKindNames[counts.kind], getpid(), counts.rounds, what, detail, error_name(errno));
    return false;
}

// Each word holds a value made of its place and a tag: a foreign page cannot fit.
uint64_t word_at(uint64_t tag, size_t index) { return (tag + index) * 0x9e3779b97f4a7c15; }
void paint(void* memory, size_t bytes, uint64_t tag) {
    auto* words = static_cast<uint64_t*>(memory);
    for (size_t i = 0; i < bytes / 8; i++) words[i] = word_at(tag, i);
}
bool verify_painted(const void* memory, size_t bytes, uint64_t tag, const char* what,
                    size_t first = 0) {
    const auto* words = static_cast<const uint64_t*>(memory);
    for (size_t i = 0; i < bytes / 8; i++) {
        if (words[i] != word_at(tag, first + i)) return verify(false, what, first + i);
    }
    counts.bytes += bytes;
    return true;
}

void* map_or_die(size_t bytes) {
    void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at != MAP_FAILED) return at;
    verify(false, "mmap failed", bytes);
    _exit(1);
}

// --- fork ------------------------------------------------------------------------------------

constexpr size_t kPage = 4096;

int fork_child(char* memory, size_t pages, uint64_t tag, uint64_t own) {
    for (size_t i = 0; i < pages; i += 2) paint(memory + i * kPage, kPage, own + i);
    for (size_t i = 0; i < pages; i++) {
        bool changed = i % 2 == 0;
        if (!verify_painted(memory + i * kPage, kPage, changed ? own + i : tag,
                            "child's page", changed ? 0 : i * kPage / 8)) {
            return 255;
        }
    }
    return own % 200;
}

void fork_round(Sequence& random) {
    size_t pages = 1 + random.below(32);
    uint64_t tag = random.next() >> 8;
    uint64_t own = random.next() >> 8;
    auto* memory = static_cast<char*>(map_or_die(pages * kPage));
    paint(memory, pages * kPage, tag);
    pid_t children[3];
    int wanted = 1 + random.below(3);
    for (int i = 0; i < wanted; i++) {
        children[i] = start_child([&] { return fork_child(memory, pages, tag, own + i); });
        verify(children[i] > 0, "fork failed");
    }
    paint(memory, kPage, tag + 5);  // the parent writes while they run
    for (int i = 0; i < wanted; i++) {
        if (children[i] < 0) continue;
        int status = wait_status(children[i]);
        int expected = (own + i) % 200;
        verify(status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == expected,
               "status of a forked child", status);
    }
    verify_painted(memory, kPage, tag + 5, "parent's written page");
    if (pages > 1) {
        verify_painted(memory + kPage, (pages - 1) * kPage, tag, "parent's page", kPage / 8);
    }
    munmap(memory, pages * kPage);
}

// --- exec ------------------------------------------------------------------------------------

// The program behind exec_round: recomputes from its arguments what it must have been given.
int exec_child(int argc, char** argv) {
    uint64_t tag = strtoull(argv[2], nullptr, 0);
    const char* variable = getenv("STRESS_TAG");
    if (variable == nullptr || strcmp(variable, argv[2]) != 0) return 254;
    uint64_t hash = kHashStart;
    for (int i = 3; i < argc; i++) hash = hash_bytes(argv[i], strlen(argv[i]), hash);
    return (hash ^ tag) % 250;
}

void exec_round(Sequence& random) {
    static char texts[40][200];
    char tag_text[32], variable[64];
    uint64_t tag = random.next() >> 8;
    snprintf(tag_text, sizeof tag_text, "%lu", tag);
    snprintf(variable, sizeof variable, "STRESS_TAG=%s", tag_text);
    const char* arguments[44] = {"stress", "exec-child", tag_text};
    uint64_t hash = kHashStart;
    size_t wanted = 1 + random.below(40);
    for (size_t i = 0; i < wanted; i++) {
        size_t length = random.below(199);
        for (size_t j = 0; j < length; j++) texts[i][j] = '!' + random.below(90);
        texts[i][length] = '\0';
        hash = hash_bytes(texts[i], length, hash);
        arguments[3 + i] = texts[i];
    }
    arguments[3 + wanted] = nullptr;
    const char* environment[] = {"HOME=/", variable, nullptr};
    int status = run_child([&] {
        execve("/proc/self/exe", const_cast<char**>(arguments),
               const_cast<char**>(environment));
        return 253;
    });
    verify(status != -1 && WIFEXITED(status) &&
               WEXITSTATUS(status) == static_cast<int>((hash ^ tag) % 250),
           "status of an executed child", status);
}

// --- map -------------------------------------------------------------------------------------

void map_round(Sequence& random) {
    size_t pages = 4 + random.below(64), bytes = pages * kPage;
    uint64_t tag = random.next() >> 8;
    auto* memory = static_cast<char*>(map_or_die(bytes));
    for (size_t i = 0; i < bytes; i += 512) {
        if (memory[i] != 0) verify(false, "fresh page is not zero", i);
    }
    paint(memory, bytes, tag);
    size_t hole = 1 + random.below(pages - 2);
    verify(munmap(memory + hole * kPage, kPage) == 0, "munmap of a page");
    void* again = mmap(memory + hole * kPage, kPage, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    verify(again == memory + hole * kPage, "mmap into the hole");
    verify(memory[hole * kPage] == 0, "page in the hole is not zero");
    paint(memory + hole * kPage, kPage, tag + 1);
    verify(mprotect(memory, bytes, PROT_READ) == 0, "mprotect");
    verify_painted(memory, hole * kPage, tag, "before the hole");
    verify_painted(memory + hole * kPage, kPage, tag + 1, "in the hole");
    size_t after = hole + 1;
    verify_painted(memory + after * kPage, bytes - after * kPage, tag, "behind the hole",
                   after * kPage / 8);
    verify(mprotect(memory, bytes, PROT_READ | PROT_WRITE) == 0, "mprotect back");

    // The first part alone grows: it must keep its bytes wherever it goes.
    void* moved = mremap(memory, hole * kPage, 2 * bytes, MREMAP_MAYMOVE);
    if (verify(moved != MAP_FAILED, "mremap")) {
        verify_painted(moved, hole * kPage, tag, "moved mapping");
        munmap(moved, 2 * bytes);
    }
    munmap(memory + hole * kPage, bytes - hole * kPage);
}

// --- pipe ------------------------------------------------------------------------------------

int pipe_writer(int fd, uint64_t seed, size_t total) {
    static char piece[70000];
    Sequence content(seed), lengths(seed + 1);
    while (total > 0) {
        size_t length = std::min<size_t>(total, 1 + lengths.below(sizeof piece));
        content.fill(piece, length);
        for (size_t done = 0; done < length;) {
            ssize_t put = write(fd, piece + done, length - done);
            if (put <= 0) return 1;
            done += put;
        }
        total -= length;
    }
    return 0;
}

void pipe_round(Sequence& random) {
    static char piece[50000], expected[50000];
    uint64_t seed = random.next();
    size_t total = 1 + random.below(600000), received = 0;
    int ends[2];
    if (!verify(pipe(ends) == 0, "pipe")) return;
    pid_t writer = start_child([&] {
        close(ends[0]);
        return pipe_writer(ends[1], seed, total);
    });
    close(ends[1]);
    Sequence content(seed);
    for (;;) {
        ssize_t got = read(ends[0], piece, 1 + random.below(sizeof piece));
        if (!verify(got >= 0, "read of a pipe") || got == 0) break;
        content.fill(expected, got);
        if (!verify(memcmp(piece, expected, got) == 0, "bytes of a pipe", received)) break;
        received += got;
    }
    close(ends[0]);
    counts.bytes += received;
    verify(received == total, "length of the stream", received);
    int status = wait_status(writer);
    verify(status == 0, "status of the writer", status);
}

// --- file ------------------------------------------------------------------------------------

void file_round(Sequence& random) {
    static char bytes[65536], back[65536];
    char name[80], other[80];
    snprintf(name, sizeof name, "/tmp/stress.%d.a", getpid());
    snprintf(other, sizeof other, "/tmp/stress.%d.b", getpid());
    size_t length = 1 + random.below(sizeof bytes);
    random.fill(bytes, length);
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (!verify(fd >= 0, "create")) return;
    size_t cut = random.below(length);
    verify(write(fd, bytes, cut) == static_cast<ssize_t>(cut), "write");
    verify(pwrite(fd, bytes + cut, length - cut, cut) == static_cast<ssize_t>(length - cut),
           "pwrite");
    verify(rename(name, other) == 0, "rename");
    struct stat info;
    verify(stat(name, &info) == -1 && errno == ENOENT, "the old name is gone");
    verify(stat(other, &info) == 0 && info.st_size == static_cast<off_t>(length), "size");
    void* mapped = mmap(nullptr, length, PROT_READ, MAP_SHARED, fd, 0);
    if (verify(mapped != MAP_FAILED, "mmap of a file")) {
        verify(memcmp(mapped, bytes, length) == 0, "bytes of the mapped file");
        munmap(mapped, length);
    }
    verify(pread(fd, back, length, 0) == static_cast<ssize_t>(length), "pread");
    verify(memcmp(back, bytes, length) == 0, "bytes of the file");
    verify(ftruncate(fd, cut) == 0 && ftruncate(fd, length) == 0, "ftruncate");
    verify(pread(fd, back, length, 0) == static_cast<ssize_t>(length), "pread of the rest");
    verify(memcmp(back, bytes, cut) == 0, "bytes that stayed");
    verify(std::all_of(back + cut, back + length, [](char c) { return c == 0; }),
           "zeros behind the cut");
    counts.bytes += 3 * length;
    close(fd);
    verify(unlink(other) == 0, "unlink");
}

// --- the storm -------------------------------------------------------------------------------

int work(Kind kind, uint64_t seed, int report_to) {
    using Round = void (*)(Sequence&);
    constexpr Round rounds[kKinds] = {fork_round, exec_round, map_round, pipe_round, file_round};
    Sequence random(seed);
    counts = {.kind = static_cast<uint64_t>(kind)};
    do {
        rounds[kind](random);
        counts.rounds++;
    } while (time_left() && counts.mismatches < 10);
    bool sent = write(report_to, &counts, sizeof counts) == sizeof counts;
    return sent && counts.mismatches == 0 ? 0 : 1;
}

long free_kib() {
    char text[2048] = {};
    int fd = open("/proc/meminfo", O_RDONLY);
    if (fd < 0) return -1;
    ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    const char* line = got > 0 ? strstr(text, "MemFree:") : nullptr;
    return line == nullptr ? -1 : strtol(line + strlen("MemFree:"), nullptr, 10);
}

struct Total {
    Counts kinds[kKinds];
    uint64_t mismatches = 0;
    int failed_workers = 0;
};

Total storm(uint64_t seed, int workers) {
    int ends[2];
    Total total;
    if (pipe(ends) != 0) exit(2);
    int started = 0;
    for (int i = 0; i < workers * kKinds; i++) {
        Kind kind = static_cast<Kind>(i % kKinds);
        pid_t pid = start_child([&] {
            close(ends[0]);
            return work(kind, seed * 1000 + i, ends[1]);
        });
        started += pid > 0;
        if (pid < 0) total.failed_workers++;
    }
    close(ends[1]);
    Counts one;
    while (read(ends[0], &one, sizeof one) == sizeof one) {
        Counts& sum = total.kinds[one.kind % kKinds];
        sum.rounds += one.rounds;
        sum.bytes += one.bytes;
        total.mismatches += one.mismatches;
    }
    close(ends[0]);
    for (int i = 0; i < started; i++) {
        int status = wait_status(-1);
        if (status != 0) total.failed_workers++;
    }
    return total;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc > 2 && strcmp(argv[1], "exec-child") == 0) return exec_child(argc, argv);
    uint64_t seconds = argc > 1 ? strtoull(argv[1], nullptr, 0) : 10;
    uint64_t seed = argc > 2 ? strtoull(argv[2], nullptr, 0) : 1;
    int workers = argc > 3 ? atoi(argv[3]) : 2 * cpu_count();

    long free_before = free_kib();
    deadline_ns = now_ns() + seconds * 1000000000;
    Total total = storm(seed, workers);
    long free_after = free_kib();

    bool all_worked = true;
    for (int i = 0; i < kKinds; i++) {
        const Counts& kind = total.kinds[i];
        printf("stress: %-4s %8lu rounds %12lu bytes verified\n", kKindNames[i], kind.rounds,
               kind.bytes);
        all_worked = all_worked && kind.rounds > 0;
    }
    printf("stress: free memory %ld KiB before, %ld KiB after\n", free_before, free_after);
    printf("stress: %lu mismatches, %d failed workers, %d workers a kind, seed %lu\n",
           total.mismatches, total.failed_workers, workers, seed);
    bool good = all_worked && total.mismatches == 0 && total.failed_workers == 0;
    printf("stress: %s\n", good ? "ok" : "FAILED");
    return good ? 0 : 1;
}
