// One CPU, several that want it: a program that never gives way must be made to, and who
// waits must get its share. For icount, where a tick is an instruction and every run alike.
//
//   preempt.*   a process spins; its parent sleeps and works meanwhile
//   share.*     two spinning processes get about the same
//   sleep.*     nanosleep: never early, and not much late, alone and beside a spinner
//
// Reported: `turns_rounds`, what the parent got done; `share_percent`, the smaller share of
// the larger; `late_alone`, `late_beside`, ticks, of the median sleep.
// Host data: `turns_rounds`.
#include "user/tests/4-sched/crew.h"
#include "user/tests/lib/child.h"
#include "user/tests/lib/report.h"
#include "user/tests/lib/shared_memory.h"

namespace {

constexpr uint64_t kTicksPerMs = 1'000'000;

struct Board {
    std::atomic<bool> started[2], stop, gave_up;
    std::atomic<uint64_t> counts[2];
};
Board* board;

// Ends at the latest after `most` ms: then nobody has stopped it, because nobody could.
int spin(unsigned index, uint64_t most) {
    uint64_t end = ticks() + most * kTicksPerMs;
    board->started[index] = true;
    while (!board->stop.load(std::memory_order_relaxed)) {
        for (int i = 0; i < 100; i++) asm volatile("");
        board->counts[index].fetch_add(1, std::memory_order_relaxed);
        if (ticks() < end) continue;
        board->gave_up = true;
        break;
    }
    return 0;
}

void stop_spinners(std::initializer_list<pid_t> pids) {
    board->stop = true;
    for (pid_t pid : pids) wait_status(pid);
    board->stop = false;
}

void test_preemption(uint64_t rounds) {
    pid_t pid = start_child([] { return spin(0, 500); });
    while (!board->started[0] && !board->gave_up) sched_yield();
    uint64_t done = 0, work = 0;
    while (done < rounds && !board->gave_up) {
        sleep_us(1000);
        Sequence sequence(done++);
        for (int i = 0; i < 1000; i++) work += sequence.next();
    }
    check("preempt.others_run_beside_a_spinner", !board->gave_up && work != 0);
    stop_spinners({pid});
    report("turns_rounds", "%lu", done);
}

void test_shares() {
    board->gave_up = false;
    pid_t a = start_child([] { return spin(0, 400); });
    pid_t b = start_child([] { return spin(1, 400); });
    sleep_us(20'000);
    uint64_t before[2] = {board->counts[0].load(), board->counts[1].load()};
    sleep_us(200'000);
    uint64_t got[2];
    for (int i = 0; i < 2; i++) got[i] = board->counts[i].load() - before[i];
    stop_spinners({a, b});
    uint64_t less = got[0] < got[1] ? got[0] : got[1], more = got[0] + got[1] - less;
    report("share_percent", "%lu", more == 0 ? 0 : less * 100 / more);
}

void test_sleeps(const char* name) {
    constexpr unsigned kSleeps = 15;
    uint64_t late[kSleeps];
    for (unsigned i = 0; i < kSleeps; i++) {
        uint64_t wanted = 2 + i % 4;
        timespec before, after;
        clock_gettime(CLOCK_MONOTONIC, &before);
        sleep_us(wanted * 1000);
        clock_gettime(CLOCK_MONOTONIC, &after);
        int64_t took = (after.tv_sec - before.tv_sec) * 1'000'000'000 + after.tv_nsec - before.tv_nsec;
        int64_t beyond = took - static_cast<int64_t>(wanted * 1'000'000);
        if (beyond < 0) check_failed("sleep.never_early", Where::current(), "woke %ld ns early", -beyond);
        late[i] = beyond < 0 ? 0 : static_cast<uint64_t>(beyond);
    }
    check_passed("sleep.never_early");
    report(name, "%lu", median_of(late, kSleeps));
}

}  // namespace

int main() {
    board = shared_memory<Board>();
    test_preemption(host_number("turns_rounds", 30));
    test_shares();
    test_sleeps("late_alone");
    pid_t pid = start_child([] { return spin(0, 600); });
    test_sleeps("late_beside");
    stop_spinners({pid});
    return check_summary("turns");
}
