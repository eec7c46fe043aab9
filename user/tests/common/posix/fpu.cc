// The vector and floating-point state belongs to the thread: kept across calls, switches,
// faults and fork, never seen by another process.
#include <cpuid.h>
#include <sched.h>
#include <time.h>

#include "user/tests/common/posix/posix.h"

namespace {

struct alignas(64) Vectors {
    uint8_t bytes[16][32];
};

bool has_avx() {
    uint32_t a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return false;
    bool enabled = (c & bit_OSXSAVE) && (c & bit_AVX);
    if (!enabled) return false;
    uint32_t low, high;
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & 6) == 6;
}

#define EACH_REGISTER(line)                                                              \
    line(0) line(1) line(2) line(3) line(4) line(5) line(6) line(7) line(8) line(9)      \
    line(10) line(11) line(12) line(13) line(14) line(15)
#define XMM_LOAD(n) "movups " #n "*32(%[in]), %%xmm" #n "\n"
#define XMM_STORE(n) "movups %%xmm" #n ", " #n "*32(%[out])\n"
#define YMM_LOAD(n) "vmovups " #n "*32(%[in]), %%ymm" #n "\n"
#define YMM_STORE(n) "vmovups %%ymm" #n ", " #n "*32(%[out])\n"
#define ALL_VECTORS                                                                          \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", \
        "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"

// Loads all registers, makes one system call without a stop between, stores them. The call
// must not change any of them.
long call_with_xmm(const Vectors& in, Vectors& out, long number, long a, long b) {
    long result;
    asm volatile(EACH_REGISTER(XMM_LOAD) "syscall\n" EACH_REGISTER(XMM_STORE)
                 : "=a"(result)
                 : [in] "r"(&in), [out] "r"(&out), "a"(number), "D"(a), "S"(b)
                 : "rcx", "r11", "memory", ALL_VECTORS);
    return result;
}
long call_with_ymm(const Vectors& in, Vectors& out, long number, long a, long b) {
    long result;
    asm volatile(EACH_REGISTER(YMM_LOAD) "syscall\n" EACH_REGISTER(YMM_STORE) "vzeroupper\n"
                 : "=a"(result)
                 : [in] "r"(&in), [out] "r"(&out), "a"(number), "D"(a), "S"(b)
                 : "rcx", "r11", "memory", ALL_VECTORS);
    return result;
}

// Spins for a while between load and store: interrupts and switches come as they like.
void spin_with_xmm(const Vectors& in, Vectors& out, long turns) {
    asm volatile(EACH_REGISTER(XMM_LOAD) "1: dec %[turns]\njnz 1b\n" EACH_REGISTER(XMM_STORE)
                 : [turns] "+r"(turns)
                 : [in] "r"(&in), [out] "r"(&out)
                 : "memory", ALL_VECTORS);
}

using Caller = long (*)(const Vectors&, Vectors&, long, long, long);

int differing_bytes(const Vectors& a, const Vectors& b, size_t width) {
    int wrong = 0;
    for (int i = 0; i < 16; i++) wrong += memcmp(a.bytes[i], b.bytes[i], width) != 0;
    return wrong;
}

void paint(Vectors& vectors, int seed) { fill(&vectors, sizeof vectors, seed * 1000); }

// Several processes hold different values over many yields, sleeps and spins.
int hold(Caller caller, size_t width, int seed) {
    Vectors in, out;
    paint(in, seed);
    timespec moment = {0, 200000};
    for (int i = 0; i < 100; i++) {
        out = {};
        if (i % 4 == 0) {
            caller(in, out, SYS_nanosleep, reinterpret_cast<long>(&moment), 0);
        } else {
            caller(in, out, SYS_sched_yield, 0, 0);
        }
        if (differing_bytes(in, out, width) != 0) return 1;
        spin_with_xmm(in, out, 20000);
        if (differing_bytes(in, out, 16) != 0) return 2;
    }
    return 0;
}

void test_width(const char* held, const char* forked, Caller caller, size_t width) {
    pid_t children[4];
    for (int i = 0; i < 4; i++) {
        children[i] = start_child([&] { return hold(caller, width, i + 1); });
    }
    for (pid_t child : children) check_exited(held, 0, wait_status(child));
    // Both sides of a raw fork find the registers as they were.
    Vectors in, out;
    paint(in, 77);
    out = {};
    long pid = caller(in, out, SYS_fork, 0, 0);
    if (pid == 0) _exit(differing_bytes(in, out, width) == 0 ? 0 : 1);
    check_equal(forked, 0, differing_bytes(in, out, width));
    check_exited(forked, 0, wait_status(pid));
}

// A page fault between load and store.
int keep_over_fault() {
    Vectors in, out = {};
    paint(in, 5);
    char* fresh = map_pages(1);
    asm volatile(EACH_REGISTER(XMM_LOAD) "movb $1, (%[fresh])\n" EACH_REGISTER(XMM_STORE)
                 :
                 : [in] "r"(&in), [out] "r"(&out), [fresh] "r"(fresh)
                 : "memory", ALL_VECTORS);
    return differing_bytes(in, out, 16);
}

// x87: a value on the stack, the control word, and MXCSR.
int keep_x87(int own) {
    uint16_t control = 0x027f | (own & 3) << 10, control_now;
    uint32_t mxcsr = 0x1f80 | (own & 3) << 13, mxcsr_now;
    double value = 1.0 + own, now;
    asm volatile("fninit; fldcw %0; ldmxcsr %1; fldl %2" ::"m"(control), "m"(mxcsr), "m"(value));
    for (int i = 0; i < 50; i++) sched_yield();
    sleep_ms(2);
    asm volatile("fstpl %0; fnstcw %1; stmxcsr %2; fninit"
                 : "=m"(now), "=m"(control_now), "=m"(mxcsr_now));
    bool kept = now == value && control_now == control && (mxcsr_now & ~63u) == mxcsr;
    return kept ? 0 : 1;
}

// The same sum by several processes at the same time.
double series(int steps) {
    double sum = 0;
    for (int i = 1; i <= steps; i++) {
        sum += 1.0 / (static_cast<double>(i) * i);
        if (i % 4096 == 0) sched_yield();
    }
    return sum;
}

}  // namespace

void test_fpu() {
    test_width("xmm_kept", "xmm_forked", call_with_xmm, 16);
    if (has_avx()) test_width("ymm_kept", "ymm_forked", call_with_ymm, 32);
    check_equal("kept_over_fault", 0, keep_over_fault());
    pid_t children[4];
    for (int i = 0; i < 4; i++) children[i] = start_child([i] { return keep_x87(i); });
    for (pid_t child : children) check_exited("x87_kept", 0, wait_status(child));
    double expected = series(100000);
    for (pid_t& child : children) {
        child = start_child([&] { return series(100000) == expected ? 0 : 1; });
    }
    for (pid_t child : children) check_exited("same_sum", 0, wait_status(child));
    check("sum", expected > 1.64492 && expected < 1.64494);
    // A new program must not find another one's secrets: see exec.fpu_is_fresh.
    // x87, because QEMU's TCG raises no unmasked SSE exceptions.
    check_killed("division_by_zero_unmasked", SIGFPE, run_child([] {
                     uint16_t control = 0x037b;  // ZM clear, SDM vol. 1, 8.1.5
                     asm volatile("fninit; fldcw %0; fld1; fldz; fdivrp; fwait" ::"m"(control));
                     return 0;
                 }));
}
