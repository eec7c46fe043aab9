// FPU and SSE state belongs to the thread: twelve threads, more than there are CPUs, hold
// numbers in all sixteen XMM registers, in the x87 stack, MXCSR and the x87 control word, and
// give way to each other all the time.
//
// Each round adds a step to every register, in the registers, with a sched_yield and a
// stretch of spinning (for preemption) in between; so the end values can be had only by
// keeping them. Reported: `fpu_hash` over the end values of all threads.
// Host data: `fpu_seed`, `fpu_rounds`.
#include <string.h>

#include "user/tests/4-sched/crew.h"
#include "user/tests/lib/report.h"

namespace {

constexpr unsigned kThreads = 12;
constexpr unsigned kRegisters = 16;

struct alignas(16) Holder {
    uint64_t values[kRegisters][2];  // what the registers start with and end with
    uint64_t step[2];
    uint64_t rounds;
    uint32_t mxcsr;
    uint16_t control;
    int64_t integer;     // held on the x87 stack
    uint32_t mxcsr_after;
    uint16_t control_after;
    int64_t integer_after;
};

#define EACH_REGISTER(DO)                                                                  \
    DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13) \
        DO(14) DO(15)
#define LOAD(n) "movdqa " #n "*16(%[h]), %%xmm" #n "\n"
#define STORE(n) "movdqa %%xmm" #n ", " #n "*16(%[h])\n"
#define ADD(n) "paddq (%[step]), %%xmm" #n "\n"
#define NAME(n) "xmm" #n,

// All in one asm statement: the compiler must not touch the registers meanwhile.
void* hold(void* argument) {
    auto* h = static_cast<Holder*>(argument);
    uint64_t rounds = h->rounds, spin, call = 0;
    asm volatile(
        "ldmxcsr %[mxcsr]\n fldcw %[control]\n fildll %[integer]\n" EACH_REGISTER(LOAD)
        "1:\n" EACH_REGISTER(ADD)
        "movq $24, %%rax\n syscall\n"  // sched_yield
        "movq $200, %[spin]\n"
        "2: decq %[spin]\n jnz 2b\n"
        "decq %[rounds]\n jnz 1b\n" EACH_REGISTER(STORE)
        "fistpll %[integer_after]\n fnstcw %[control_after]\n stmxcsr %[mxcsr_after]\n"
        "fninit\n"
        : [rounds] "+r"(rounds), [spin] "=&r"(spin), "+a"(call),
          [integer_after] "=m"(h->integer_after), [control_after] "=m"(h->control_after),
          [mxcsr_after] "=m"(h->mxcsr_after)
        : [h] "r"(h), [step] "r"(h->step), [mxcsr] "m"(h->mxcsr), [control] "m"(h->control),
          [integer] "m"(h->integer)
        : EACH_REGISTER(NAME) "rcx", "r11", "memory", "cc");
    uint32_t usual = 0x1f80;
    asm volatile("ldmxcsr %0" : : "m"(usual));
    return nullptr;
}

}  // namespace

int main() {
    static Holder holders[kThreads];
    uint64_t seed = host_number("fpu_seed", 1), rounds = host_number("fpu_rounds", 400);
    for (unsigned t = 0; t < kThreads; t++) {
        Holder& h = holders[t];
        Sequence sequence(seed + t);
        for (auto& pair : h.values) pair[0] = sequence.next(), pair[1] = sequence.next();
        h.step[0] = sequence.next(), h.step[1] = sequence.next();
        h.rounds = rounds;
        // Rounding modes that differ; all exceptions masked.
        h.mxcsr = 0x1f80 | (t % 4) << 13;
        h.control = static_cast<uint16_t>(0x037f | (t % 4) << 10);
        h.integer = static_cast<int64_t>(sequence.next() >> 8);
    }
    Crew crew(hold, holders, kThreads);
    crew.join();
    uint64_t hash = kHashStart;
    for (unsigned t = 0; t < kThreads; t++) {
        Holder& h = holders[t];
        hash = hash_bytes(h.values, sizeof h.values, hash);
        // Exception flags may have been set on the way.
        check_equal("fpu.mxcsr_kept", h.mxcsr & ~0x3f, h.mxcsr_after & ~0x3f);
        check_equal("fpu.control_word_kept", h.control, h.control_after);
        check_equal("fpu.x87_register_kept", h.integer, h.integer_after);
    }
    report("fpu_hash", "%#lx", hash);
    return check_summary("fpu");
}
