// Lab 2: on a machine with little memory, all of it is used, several times over.
//
//   zero   one process fills nearly all free memory with a pattern and dies; the next one gets
//          the same frames and must see zeros
//   oom    a process that uses more than there is ends, alone; a fork that does not fit fails
//   bomb   a tree of processes that share and change pages; every one of them must have run
//   frames after each round there are as many free frames as after the first
//
// /run/mello/data: bomb_depth, pattern.
#include "user/tests/2-paging/pages.h"
#include "user/tests/lib/child.h"
#include "user/tests/lib/report.h"

namespace {

constexpr long kReserve = 600;  // frames left for page tables, stacks and everybody else

// Fills, or looks for anything that is not zero.
int use_memory(size_t pages, uint64_t pattern, bool fill) {
    char* memory = map_pages(pages);
    auto* words = reinterpret_cast<volatile uint64_t*>(memory);
    for (size_t i = 0; i < pages * kPage / 8; i += fill ? 8 : 1) {
        if (!fill && words[i] != 0) return 1;
        if (fill) words[i] = pattern + i;
    }
    return 0;
}

void zero(uint64_t pattern) {
    check_group("zero");
    long pages = free_frames() - kReserve;
    if (!check("there_is_memory", pages > 1000)) return;
    check_exited("fill", 0, run_child([=] { return use_memory(pages, pattern, true); }));
    check_exited("next_process_sees_zeros", 0,
                 run_child([=] { return use_memory(pages, pattern, false); }));
    report("zero_pages", "%ld", pages);
}

void oom() {
    check_group("oom");
    int status = run_child([] {
        size_t pages = free_frames() * 2;
        void* memory = mmap(nullptr, pages * kPage, kReadWrite,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) return errno == ENOMEM ? 0 : 2;
        for (size_t i = 0; i < pages; i++) byte_at(static_cast<char*>(memory) + i * kPage) = 1;
        return 3;
    });
    bool killed = status != -1 && WIFSIGNALED(status);
    bool refused = status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!killed && !refused) {
        check_failed("too_much_memory", Where::current(),
                     "expected ENOMEM or death by a signal, got wait status %#x", status);
    }
    check_exited("the_system_goes_on", 0, run_child([] {
        execl("/bin/busybox", "busybox", "true", static_cast<char*>(nullptr));
        return 1;
    }));
    // Fork with next to no memory left: it may fail, cleanly, but must not hang or panic.
    check_exited("fork_without_memory", 0, run_child([] {
        long pages = free_frames() - 100;
        char* memory = map_pages(pages);
        for (long i = 0; i < pages; i++) byte_at(memory + i * kPage) = 1;
        // Children that each change some shared pages, until there is no more.
        int failed = 0;
        for (int i = 0; i < 8; i++) {
            pid_t child = fork();
            if (child == 0) {
                for (long j = 0; j < 30; j++) byte_at(memory + j * kPage) = 2;
                _exit(0);
            }
            if (child < 0 && errno != ENOMEM && errno != EAGAIN) return 1;
            failed += child < 0;
            if (child > 0) wait_status(child);
        }
        for (long j = 0; j < 30; j++)
            if (byte_at(memory + j * kPage) != 1) return 2;
        return 0;
    }));
}

void grow_tree(Gate& count, char* memory, unsigned depth) {
    count.arrive();
    for (unsigned i = 0; i < 4; i++) byte_at(memory + i * kPage) = static_cast<char>(depth);
    if (depth == 0) return;
    pid_t children[2];
    for (pid_t& child : children) {
        child = start_child([&] {
            grow_tree(count, memory, depth - 1);
            return byte_at(memory) == static_cast<char>(depth - 1) ? 0 : 1;
        });
    }
    for (pid_t child : children)
        check_exited("tree", 0, wait_status(child));
    if (byte_at(memory) != static_cast<char>(depth))
        check_failed("tree", Where::current(), "a child's write shows in its parent");
}

void bomb() {
    check_group("bomb");
    check_quietly(true);
    static Gate count;
    count.open(0);
    char* memory = map_pages(16);
    memset(memory, 'b', 16 * kPage);
    unsigned depth = host_number("bomb_depth", 5);
    grow_tree(count, memory, depth);
    check_quietly(false);
    munmap(memory, 16 * kPage);
    report("bomb_processes", "%u", count.now());
}

}  // namespace

int main() {
    uint64_t pattern = host_number("pattern", 1);
    long first = 0, last = 0;
    // Caches of kernel objects and stacks may still grow a little; less than a frame for each
    // process.
    constexpr long kSlack = 64;
    for (int round = 0; round < 3; round++) {
        zero(pattern);
        oom();
        bomb();
        last = frames_settled(round == 0 ? 0 : first - kSlack);
        if (round == 0) first = last;
    }
    check_group("frames");
    report("frames", "%ld %ld", first, last);
    if (last >= first - kSlack && last <= first + 200) {
        check_passed("balance");
    } else {
        check_failed("balance", Where::current(),
                     "expected %ld free frames as after the first round, got %ld: %s", first,
                     last, last < first ? "they are lost" : "some were freed twice");
    }
    return check_summary("shortage");
}
