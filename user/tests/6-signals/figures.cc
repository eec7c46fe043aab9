// What signals cost, in ticks of the time-stamp counter: for icount, where a tick is an
// instruction.
//
//   check      a look whether something is pending: rt_sigpending, which looks, beside a
//              query of rt_sigprocmask, which copies out as many bytes and does not
//   delivery   from the call that sends a signal to the own process to its handler
//   round      the same, and on to the end of the call
//   batch      one of eight signals that are let through together, and the way back
//
// Reported: these as figures (`check_raw`: hundredths of a tick of both calls);
// `figures_raw TICKS SIGNALS` of the median repetition of `round`; `figures_sum`, which the
// handler computed.
// Host data: `figures_seed`, `figures_signals`.
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "user/tests/6-signals/handlers.h"
#include "user/tests/lib/check.h"
#include "user/tests/lib/figure.h"
#include "user/tests/lib/report.h"

namespace {

constexpr unsigned kWarmUps = 2, kRepetitions = 11;
constexpr int kBatch[] = {SIGUSR1, SIGUSR2, SIGHUP, SIGINT, SIGTERM, SIGALRM, 40, 64};

volatile uint64_t sum, calls, entered;

void add(int signal) {
    entered = ticks();
    calls = calls + 1;
    sum = sum * 31 + static_cast<uint64_t>(signal);
}

template <typename Body>
uint64_t median(Body&& body) {
    uint64_t values[kRepetitions];
    for (unsigned i = 0; i < kWarmUps + kRepetitions; i++) {
        uint64_t start = ticks();
        body();
        uint64_t took = ticks() - start;
        if (i >= kWarmUps) values[i - kWarmUps] = took;
    }
    return median_of(values, kRepetitions);
}

// The system call itself, so that no wrapper of the C library stands between.
[[gnu::always_inline]] inline long call(long number, long a, long b, long c, long d) {
    register long fourth asm("r10") = d;
    long result;
    asm volatile("syscall" : "=a"(result) : "0"(number), "D"(a), "S"(b), "d"(c), "r"(fourth)
                 : "rcx", "r11", "memory");
    return result;
}

// Both loops have the same instructions: they differ in what is called.
[[gnu::noinline]] uint64_t time_calls(long number, long a, long b, long c, long d) {
    constexpr unsigned kCalls = 500;
    uint64_t ticks_taken = median([&] {
        for (unsigned n = 0; n < kCalls; n++) call(number, a, b, c, d);
    });
    return ticks_taken * 100 / kCalls;
}

void measure_check() {
    static uint64_t out;
    auto place = reinterpret_cast<long>(&out);
    uint64_t query = time_calls(SYS_rt_sigprocmask, SIG_BLOCK, 0, place, 8);
    uint64_t look = time_calls(SYS_rt_sigpending, place, 8, 0, 0);
    report("check_raw", "%lu %lu", query, look);
}

void measure_delivery(uint64_t count) {
    long self = getpid();
    uint64_t rounds[kRepetitions], deliveries[kRepetitions];
    for (unsigned i = 0; i < kWarmUps + kRepetitions; i++) {
        uint64_t round = 0, delivery = 0;
        for (uint64_t n = 0; n < count; n++) {
            uint64_t start = ticks();
            call(SYS_kill, self, SIGUSR1, 0, 0);
            round += ticks() - start;
            delivery += entered - start;
        }
        if (i < kWarmUps) continue;
        rounds[i - kWarmUps] = round;
        deliveries[i - kWarmUps] = delivery;
    }
    check_equal("figures.handler_calls", static_cast<long>((kWarmUps + kRepetitions) * count),
                static_cast<long>(calls));
    report_figure("delivery", figure_of(deliveries, kRepetitions, count), kRepetitions);
    report_figure("round", figure_of(rounds, kRepetitions, count), kRepetitions);
    report("figures_raw", "%lu %lu", median_of(rounds, kRepetitions), count);
    report("figures_sum", "%#lx", sum);
}

void measure_batch() {
    constexpr unsigned kRounds = 50;
    long self = getpid();
    uint64_t set = 0, values[kRepetitions];
    for (int signal : kBatch) set |= 1ull << (signal - 1);
    calls = 0;
    for (unsigned i = 0; i < kWarmUps + kRepetitions; i++) {
        uint64_t took = 0;
        for (unsigned n = 0; n < kRounds; n++) {
            call(SYS_rt_sigprocmask, SIG_BLOCK, reinterpret_cast<long>(&set), 0, 8);
            for (int signal : kBatch) call(SYS_kill, self, signal, 0, 0);
            uint64_t start = ticks();
            call(SYS_rt_sigprocmask, SIG_UNBLOCK, reinterpret_cast<long>(&set), 0, 8);
            took += ticks() - start;
        }
        if (i >= kWarmUps) values[i - kWarmUps] = took;
    }
    constexpr size_t kSignals = sizeof kBatch / sizeof kBatch[0];
    check_equal("figures.batch_calls", (kWarmUps + kRepetitions) * kRounds * kSignals,
                static_cast<long>(calls));
    report_figure("batch", figure_of(values, kRepetitions, kRounds * kSignals), kRepetitions);
}

}  // namespace

int main() {
    measure_check();
    need_handlers();
    struct sigaction action {};
    action.sa_handler = add;
    for (int signal : kBatch) sigaction(signal, &action, nullptr);
    sum = host_number("figures_seed", 1);
    measure_delivery(host_number("figures_signals", 100));
    measure_batch();
    return check_summary("figures");
}
