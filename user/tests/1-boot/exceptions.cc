// Lab 1: exceptions of a program are that program's end, by the right signal, and nobody
// else's business.
//
//   plain    exceptions for which the CPU pushes no error code
//   coded    those with one: a handler that mixes the two up sees a shifted frame
//   gates    INT n for every n: only 3 and 4 may be used from user mode, all else is #GP
//   resumed  page faults that are resolved, between computations in registers
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "user/tests/lib/check.h"
#include "user/tests/lib/child.h"
#include "user/tests/lib/report.h"

// One stub of 8 bytes for each vector.
asm(R"(
    .text
    .balign 8
int_stubs:
    .set number, 0
    .rept 256
    .balign 8
    .byte 0xcd, number
    ret
    .set number, number + 1
    .endr
)");
extern "C" const char int_stubs[];

namespace {

constexpr uintptr_t kKernelAddress = 0xffffffff80100000;
const char* volatile null_pointer = nullptr;

void divide() {
    asm volatile("xorl %%edx, %%edx\n\txorl %%ecx, %%ecx\n\tdivl %%ecx" : : "a"(1) : "ecx", "edx");
}
void divide_too_large() {
    asm volatile("cltd\n\tidivl %%ecx" : : "a"(INT32_MIN), "c"(-1) : "edx");
}
void undefined() { asm volatile("ud2"); }
void breakpoint() { asm volatile("int3"); }
void single_step() {
    asm volatile("pushfq\n\torl $0x100, (%%rsp)\n\tpopfq\n\tnop\n\tnop" : : : "memory", "cc");
}
void x87() {
    // Division by zero unmasked; the exception comes with the next FPU instruction.
    uint16_t control = 0x037b;
    asm volatile("fldcw %0\n\tfld1\n\tfldz\n\tfdivrp\n\tfwait" : : "m"(control));
}

void read_null() { (void)*static_cast<const volatile char*>(null_pointer); }
void write_null() { *const_cast<volatile char*>(null_pointer) = 1; }
void read_kernel() { (void)*reinterpret_cast<const volatile char*>(kKernelAddress); }
void execute_data() {
    static unsigned char code[] = {0xc3};
    reinterpret_cast<void (*)()>(code)();
}
void halt() { asm volatile("hlt"); }
void input() { asm volatile("inb $0x64, %%al" : : : "rax"); }
void not_canonical() { asm volatile("movb (%0), %%al" : : "r"(1ull << 62) : "rax"); }
void bad_selector() { asm volatile("movw %w0, %%ds" : : "r"(0x7ff3)); }
void kernel_selector() { asm volatile("movw %w0, %%ss" : : "r"(0x10)); }

struct Case {
    const char* name;
    void (*act)();
    int signal;
};
constexpr Case kPlain[] = {{"divide_by_zero", divide, SIGFPE},
                           {"divide_overflow", divide_too_large, SIGFPE},
                           {"undefined_instruction", undefined, SIGILL},
                           {"breakpoint", breakpoint, SIGTRAP},
                           {"single_step", single_step, SIGTRAP},
                           {"x87_division", x87, SIGFPE}};
constexpr Case kCoded[] = {{"read_null", read_null, SIGSEGV},
                           {"write_null", write_null, SIGSEGV},
                           {"read_kernel", read_kernel, SIGSEGV},
                           {"execute_data", execute_data, SIGSEGV},
                           {"halt", halt, SIGSEGV},
                           {"port_input", input, SIGSEGV},
                           {"not_canonical", not_canonical, SIGSEGV},
                           {"bad_selector", bad_selector, SIGSEGV},
                           {"kernel_selector", kernel_selector, SIGSEGV}};

void run(const char* group, const Case& one) {
    check_group(group);
    int status = run_child([&one] {
        one.act();
        return 99;  // nothing happened
    });
    check_killed(one.name, one.signal, status);
    check_group(nullptr);
}

void test_gates() {
    check_group("gates");
    for (int vector = 0; vector < 256; vector++) {
        if (vector == 0x80) continue;  // a system call on Linux
        int status = run_child([vector] {
            reinterpret_cast<void (*)()>(const_cast<char*>(int_stubs + 8 * vector))();
            return 99;
        });
        char name[32];
        snprintf(name, sizeof name, "int_%d", vector);
        check_killed(name, vector == 3 ? SIGTRAP : SIGSEGV, status);
    }
    check_group(nullptr);
}

// A hash chain through registers; after each link a page is touched for the first time.
void test_resumed(uint64_t seed) {
    constexpr size_t kPage = 4096, kPages = 512;
    auto* memory = static_cast<volatile uint64_t*>(
        mmap(nullptr, kPages * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    Sequence with(seed);
    uint64_t hash = kHashStart;
    for (size_t i = 0; i < kPages; i++) {
        uint64_t value = with.next();
        hash = hash_bytes(&value, sizeof value, hash);
        memory[i * kPage / 8 + i % 512] = hash;
    }
    for (size_t i = 0; i < kPages; i++) {
        uint64_t value = memory[i * kPage / 8 + i % 512];
        hash = hash_bytes(&value, sizeof value, hash);
    }
    report("resumed_hash", "%#lx", hash);
}

}  // namespace

int main() {
    check_quietly(true);
    uint64_t seed = host_number("exceptions_seed", 1);
    // In turns, so that each kind comes after each other kind.
    for (int round = 0; round < 3; round++) {
        for (const Case& plain : kPlain) run("plain", plain);
        for (const Case& coded : kCoded) run("coded", coded);
        for (const Case& coded : kCoded) {
            run("coded", coded);
            run("plain", kPlain[round % 6]);
        }
    }
    test_gates();
    test_resumed(seed);
    return check_summary("exceptions");
}
