// Much at once, on all CPUs: threads that are born and die, processes that fork and exit,
// and mappings that come and go in one address space, so that every CPU shoots down the TLBs
// of the others while they do the same. A deadlock stops it; a kernel stack that is freed
// while its thread still stands on it, or a page that is reused too early, spoils a result.
//
// Reported: `storm_threads`, `storm_processes`, `storm_pages`, sums of what each computed;
// `storm_lost`, frames fewer than before the second of two equal storms.
// Host data: `storm_seed`, `storm_rounds`.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "user/tests/4-sched/crew.h"
#include "user/tests/lib/report.h"
#include "user/tests/lib/shared_memory.h"

namespace {

constexpr unsigned kLines = 4;  // of each kind
constexpr unsigned kPages = 16;
constexpr size_t kPage = 4096;

uint64_t seed, rounds;

struct Board {
    std::atomic<uint64_t> made, threads, processes, pages;
    std::atomic<unsigned> done;
};
Board* board;

uint64_t value(uint64_t kind, uint64_t line, uint64_t round) {
    return Sequence(seed + kind * 1000003 + line * 10007 + round).next();
}

// ---- each line of the three kinds ----

struct Life {
    uint64_t line, round, result;
};

void* live(void* argument) {
    auto* life = static_cast<Life*>(argument);
    if (life->round % 3 == 0) sched_yield();
    life->result = value(1, life->line, life->round);
    return nullptr;
}

void thread_line(uint64_t line) {
    for (uint64_t round = 0; round < rounds; round++) {
        Life life = {line, round, 0};
        Crew child(live, &life, 1);
        child.join();
        board->threads.fetch_add(life.result);
        board->made.fetch_add(1);
    }
}

void process_line(uint64_t line) {
    for (uint64_t round = 0; round < rounds / 4; round++) {
        pid_t pid = fork();
        if (pid == 0) {
            board->processes.fetch_add(value(2, line, round));
            _exit(0);
        }
        int status = -1;
        bool good = pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
        if (!good) check_failed("storm.processes", Where::current(), "pid %d, status %#x", pid, status);
        board->made.fetch_add(1);
    }
}

void page_line(uint64_t line) {
    for (uint64_t round = 0; round < rounds; round++) {
        void* area = mmap(nullptr, kPages * kPage, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (area == MAP_FAILED) return check_failed("storm.mmap", Where::current(), "round %lu", round);
        auto* bytes = static_cast<char*>(area);
        uint64_t wanted = value(3, line, round), dirty = 0;
        for (unsigned i = 0; i < kPages; i++) {
            auto* word = reinterpret_cast<uint64_t*>(bytes + i * kPage);
            dirty |= *word;
            *word = wanted + i;
        }
        if (round % 2 == 0) sched_yield();
        uint64_t sum = 0;
        for (unsigned i = 0; i < kPages; i++) {
            sum += *reinterpret_cast<uint64_t*>(bytes + i * kPage) - i;
        }
        if (dirty != 0) check_failed("storm.new_pages_are_zero", Where::current(), "got %#lx", dirty);
        board->pages.fetch_add(sum);
        munmap(area, kPages * kPage);
        board->made.fetch_add(1);
    }
}

struct Line {
    unsigned index;
};

void* run_line(void* argument) {
    unsigned index = static_cast<Line*>(argument)->index;
    unsigned line = index % kLines;
    if (index < kLines) {
        thread_line(line);
    } else if (index < 2 * kLines) {
        process_line(line);
    } else {
        pin_to_cpu(line % cpu_count());
        page_line(line);
    }
    board->done.fetch_add(1);
    return nullptr;
}

// ---- the whole ----

bool storm() {
    board->made = board->threads = board->processes = board->pages = 0;
    board->done = 0;
    Line lines[3 * kLines];
    for (unsigned i = 0; i < 3 * kLines; i++) lines[i].index = i;
    Crew crew(run_line, lines, 3 * kLines);
    uint64_t all = kLines * (rounds + rounds / 4 + rounds);
    bool good = watch(
        "storm.goes_on", "CPUs wait for each other: a deadlock of shootdowns or queue locks?", all,
        [] { return board->done.load() == 3 * kLines; }, [] { return board->made.load(); });
    if (good) crew.join();
    return good;
}

long free_frames() {
    static char text[16384];
    int file = open("/proc/metrics", O_RDONLY);
    size_t have = 0;
    ssize_t got;
    while ((got = read(file, text + have, sizeof text - 1 - have)) > 0) have += got;
    close(file);
    text[have] = 0;
    const char* at = strstr(text, "\nmello_frames_free ");
    return at == nullptr ? 0 : strtol(at + 19, nullptr, 10);
}

// The dead are buried by a thread of the kernel, which may not have come to them yet.
long settled_free_frames() {
    long frames = free_frames();
    for (int same = 0; same < 4;) {
        sleep_us(20'000);
        long now = free_frames();
        same = now == frames ? same + 1 : 0;
        frames = now;
    }
    return frames;
}

}  // namespace

int main() {
    seed = host_number("storm_seed", 1);
    rounds = host_number("storm_rounds", 100);
    board = shared_memory<Board>();
    check_quietly(true);
    if (storm()) {
        long before = settled_free_frames();
        bool again = storm();
        report("storm_threads", "%#lx", board->threads.load());
        report("storm_processes", "%#lx", board->processes.load());
        report("storm_pages", "%#lx", board->pages.load());
        if (again) report("storm_lost", "%ld", before - settled_free_frames());
    }
    int status = check_summary("storm");
    fflush(nullptr);
    _exit(status);  // threads may be stuck
}
