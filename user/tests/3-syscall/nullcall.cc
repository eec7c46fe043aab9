// What a system call costs that does nothing: `syscall` with getppid in a loop, by hand, so
// that no C library stands between.
//
// Reported: `nullcall` (report_figure: ticks per call, less those of the loop around it) and
// `nullcall_raw TICKS CALLS`, the whole measured time of the median repetition for the host to
// cross-check. On icount and Bochs a tick is an instruction, and the two instructions `mov`
// and `syscall` of the user's side count as part of the call.
//
// /run/mello/data/nullcall_calls: calls a repetition (host-chosen, default 1000).
#include <sys/syscall.h>
#include <unistd.h>

#include "user/tests/lib/check.h"
#include "user/tests/lib/figure.h"
#include "user/tests/lib/report.h"

namespace {

constexpr unsigned kWarmUps = 3;
constexpr unsigned kRepetitions = 15;

// Returns how many of the calls gave another answer than `expected`.
[[gnu::noinline]] uint64_t call_many(uint64_t calls, uint64_t expected) {
    uint64_t wrong = 0;
    asm volatile(
        "1: mov %[number], %%eax\n"
        "syscall\n"
        "xor %[expected], %%rax\n"
        "or %%rax, %[wrong]\n"
        "dec %[calls]\n"
        "jnz 1b\n"
        : [wrong] "+r"(wrong), [calls] "+r"(calls)
        : [number] "i"(SYS_getppid), [expected] "r"(expected)
        : "rax", "rcx", "r11", "memory", "cc");
    return wrong;
}

// The same loop without the call and the load of its number.
[[gnu::noinline]] uint64_t loop_only(uint64_t calls, uint64_t expected) {
    uint64_t wrong = 0, value = expected;
    asm volatile(
        "1: xor %[expected], %[value]\n"
        "or %[value], %[wrong]\n"
        "dec %[calls]\n"
        "jnz 1b\n"
        : [wrong] "+r"(wrong), [calls] "+r"(calls), [value] "+r"(value)
        : [expected] "r"(expected)
        : "cc");
    return wrong;
}

}  // namespace

int main() {
    uint64_t calls = host_number("nullcall_calls", 1000);
    if (calls == 0) calls = 1;
    uint64_t parent = getppid();
    uint64_t with[kRepetitions], net[kRepetitions];
    uint64_t wrong = 0;

    for (unsigned i = 0; i < kWarmUps; i++) {
        wrong |= call_many(calls, parent);
        loop_only(calls, parent);
    }
    for (unsigned i = 0; i < kRepetitions; i++) {
        uint64_t start = ticks();
        wrong |= call_many(calls, parent);
        uint64_t middle = ticks();
        loop_only(calls, parent);
        uint64_t end = ticks();
        with[i] = middle - start;
        uint64_t loop = end - middle;
        net[i] = with[i] > loop ? with[i] - loop : 0;
    }

    check("nullcall.every_answer_right", wrong == 0);
    report_figure("nullcall", figure_of(net, kRepetitions, calls), kRepetitions);
    report("nullcall_raw", "%lu %lu", median_of(with, kRepetitions), calls);
    return check_summary("nullcall");
}
