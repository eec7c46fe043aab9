// Page-sized memory operations: two ways of each, chosen at boot by a race.
//
// No single loop wins everywhere. Measured in bytes a cycle: under TCG eight unrolled 64-bit
// moves reach 1.2 to 1.6 and REP MOVSQ 0.7; counted in instructions (icount, Bochs) REP MOVSQ
// reaches 7.9 and the unrolled loop 3.2; on hardware both run at memory speed. So the TSC
// decides (shared/EMULATORS.md has the measurements).
#include "kernel/mm/frame.h"

#include "kernel/arch/x86.h"
#include "kernel/mm/user_access.h"

namespace {

void clear_rep(void* page) {
    size_t count = kPageSize / 8;
    asm volatile("rep stosq" : "+D"(page), "+c"(count) : "a"(0ull) : "memory");
}

void copy_rep(void* to, const void* from) {
    size_t count = kPageSize / 8;
    asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}

void clear_unrolled(void* page) {
    void* end = static_cast<char*>(page) + kPageSize;
    asm volatile(
        "1:\n\t"
        ".irp offset, 0, 8, 16, 24, 32, 40, 48, 56\n\t"
        "movq %2, \\offset(%0)\n\t"
        ".endr\n\t"
        "addq $64, %0\n\t"
        "cmpq %1, %0\n\t"
        "jne 1b"
        : "+r"(page)
        : "r"(end), "r"(0ull)
        : "memory", "cc");
}

// All loads of a group come before its stores: under TCG pages whose numbers are equal modulo
// the size of the soft TLB evict each other, and grouping halves how often.
void copy_unrolled(void* to, const void* from) {
    const void* end = static_cast<const char*>(from) + kPageSize;
    asm volatile(
        "1:\n\t"
        ".set offset, 0\n\t"
        ".irp register, rax, rcx, rdx, r8, r9, r10, r11, rbx\n\t"
        "movq offset(%1), %%\\register\n\t"
        ".set offset, offset + 8\n\t"
        ".endr\n\t"
        ".set offset, 0\n\t"
        ".irp register, rax, rcx, rdx, r8, r9, r10, r11, rbx\n\t"
        "movq %%\\register, offset(%0)\n\t"
        ".set offset, offset + 8\n\t"
        ".endr\n\t"
        "addq $64, %1\n\t"
        "addq $64, %0\n\t"
        "cmpq %2, %1\n\t"
        "jne 1b"
        : "+r"(to), "+r"(from)
        : "r"(end)
        : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "memory", "cc");
}

bool use_rep = false;

// The best of several runs: the first ones pay for translation and cold caches, and the host
// may take the CPU away in any of them.
template <typename Operation>
uint64_t time_of(Operation operation) {
    uint64_t best = ~0ull;
    for (int run = 0; run < 8; ++run) {
        uint64_t start = x86::rdtsc();
        operation();
        uint64_t ticks = x86::rdtsc() - start;
        if (ticks < best) best = ticks;
    }
    return best;
}

}  // namespace

void page_copy_init() {
    alignas(kPageSize) static char a[kPageSize], b[kPageSize];
    uint64_t rep = time_of([] {
        clear_rep(a);
        copy_rep(b, a);
    });
    uint64_t unrolled = time_of([] {
        clear_unrolled(a);
        copy_unrolled(b, a);
    });
    use_rep = rep < unrolled;
    user_copy_rep = use_rep;
}

void page_clear(void* page) { use_rep ? clear_rep(page) : clear_unrolled(page); }
void page_copy(void* to, const void* from) {
    use_rep ? copy_rep(to, from) : copy_unrolled(to, from);
}
