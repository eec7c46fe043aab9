// What switches and ticks cost on one CPU, in ticks of the time-stamp counter: for icount,
// where a tick is an instruction.
//
//   switch_yield   a switch between two threads of a process, by sched_yield
//   switch_pipe    half a round trip of one byte between two processes through pipes
//   tick_percent   hundredths of a percent that the scheduler's ticks take from a program
//
// Reported: the first two as figures; `cost_raw TICKS SWITCHES` of the median repetition of
// the first; `tick_raw TICKS CHUNKS SMALLEST TICKS_SEEN`: the whole loop, its pieces, the least that
// one took, and interrupts of the timer meanwhile.
// Host data: `cost_switches`, `cost_chunks`.
#include <fcntl.h>
#include <string.h>

#include "user/tests/4-sched/crew.h"
#include "user/tests/lib/child.h"
#include "user/tests/lib/report.h"

namespace {

constexpr unsigned kWarmUps = 2, kRepetitions = 11;

std::atomic<bool> stop{false};
std::atomic<uint64_t> partner_turns{0};

void* keep_yielding(void*) {
    while (!stop.load(std::memory_order_relaxed)) {
        partner_turns.fetch_add(1, std::memory_order_relaxed);
        syscall(SYS_sched_yield);
    }
    return nullptr;
}

void measure_yield(uint64_t count) {
    int unused = 0;
    Crew partner(keep_yielding, &unused, 1);
    while (partner_turns.load() == 0) sched_yield();
    uint64_t values[kRepetitions], turns = partner_turns.load();
    for (unsigned i = 0; i < kWarmUps + kRepetitions; i++) {
        uint64_t start = ticks();
        for (uint64_t n = 0; n < count; n++) syscall(SYS_sched_yield);
        uint64_t took = ticks() - start;
        if (i >= kWarmUps) values[i - kWarmUps] = took;
    }
    turns = partner_turns.load() - turns;
    stop = true;
    partner.join();
    // Each of our yields is a switch there and one back.
    uint64_t expected = (kWarmUps + kRepetitions) * count;
    check("cost.partner_ran_at_every_yield", turns + 20 > expected && turns < expected + 20);
    report_figure("switch_yield", figure_of(values, kRepetitions, 2 * count), kRepetitions);
    report("cost_raw", "%lu %lu", median_of(values, kRepetitions), 2 * count);
}

void measure_pipe(uint64_t count) {
    int forth[2], back[2];
    check_works("cost.pipe", pipe(forth));
    check_works("cost.pipe", pipe(back));
    pid_t pid = start_child([&] {
        close(forth[1]);
        char byte;
        while (read(forth[0], &byte, 1) == 1) {
            if (write(back[1], &byte, 1) != 1) return 1;
        }
        return 0;
    });
    close(forth[0]);
    uint64_t values[kRepetitions], wrong = 0;
    for (unsigned i = 0; i < kWarmUps + kRepetitions; i++) {
        uint64_t start = ticks();
        for (uint64_t n = 0; n < count; n++) {
            char sent = static_cast<char>(n), got = 0;
            wrong += write(forth[1], &sent, 1) != 1;
            wrong += read(back[0], &got, 1) != 1 || got != sent;
        }
        uint64_t took = ticks() - start;
        if (i >= kWarmUps) values[i - kWarmUps] = took;
    }
    check_equal("cost.bytes_wrong", 0, static_cast<long>(wrong));
    close(forth[1]);
    check_exited("cost.partner", 0, wait_status(pid));
    report_figure("switch_pipe", figure_of(values, kRepetitions, 2 * count), kRepetitions);
}

uint64_t timer_ticks() {
    static char text[16384];
    int file = open("/proc/metrics", O_RDONLY);
    size_t have = 0;
    ssize_t got;
    while ((got = read(file, text + have, sizeof text - 1 - have)) > 0) have += got;
    close(file);
    text[have] = 0;
    const char* at = strstr(text, "\nmello_timer_ticks_total ");
    return at == nullptr ? 0 : strtoul(at + 25, nullptr, 10);
}

void work() {
    for (uint64_t i = 0; i < 2000; i++) asm volatile("" : "+r"(i));
}

// A loop of equal pieces: what it took beyond the least piece, all pieces over, went to
// interrupts.
void measure_ticks(uint64_t chunks) {
    uint64_t smallest = ~0ull, before = timer_ticks(), start = ticks(), last = start;
    for (uint64_t i = 0; i < chunks; i++) {
        work();
        uint64_t now = ticks();
        if (now - last < smallest) smallest = now - last;
        last = now;
    }
    uint64_t whole = last - start, net = smallest * chunks;
    report("tick_raw", "%lu %lu %lu %lu", whole, chunks, smallest, timer_ticks() - before);
    report("tick_percent", "%lu", (whole - net) * 10000 / net);
}

}  // namespace

int main() {
    uint64_t switches = host_number("cost_switches", 1000);
    measure_yield(switches);
    measure_pipe(switches);
    measure_ticks(host_number("cost_chunks", 10000));
    return check_summary("cost");
}
