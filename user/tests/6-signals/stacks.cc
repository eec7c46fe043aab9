// Where the frame of a signal goes: alternate stacks, stacks that are full or none at all.
//
// Reported: `stacks_sum`, which handlers on the alternate stack computed from the host's data
// as they interrupted each other.
// Host data: `stacks_seed`.
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <ucontext.h>
#include <unistd.h>

#include "user/tests/6-signals/handlers.h"
#include "user/tests/lib/check.h"
#include "user/tests/lib/child.h"
#include "user/tests/lib/report.h"

namespace {

constexpr size_t kStackSize = 64 * 1024;
alignas(16) char other_stack[kStackSize];
volatile uint64_t sum;
volatile int wrong_places;
stack_t seen_in_frame;
uint64_t seed;

bool on_other_stack() {
    char here;
    auto at = reinterpret_cast<uintptr_t>(&here);
    auto base = reinterpret_cast<uintptr_t>(other_stack);
    return at >= base && at < base + kStackSize;
}

void catch_signal(int signal, int flags, void (*handler)(int, siginfo_t*, void*)) {
    struct sigaction action {};
    action.sa_flags = SA_SIGINFO | flags;
    action.sa_sigaction = handler;
    sigaction(signal, &action, nullptr);
}

void set_other_stack() {
    stack_t stack = {other_stack, 0, kStackSize};
    check_works("stack.sigaltstack", sigaltstack(&stack, nullptr));
}

// ---- the alternate stack ----

// Each handler raises the next signal in its middle: the frame of that must not touch this.
void nest(int signal, siginfo_t*, void* context) {
    volatile uint64_t local[32];
    Sequence sequence(seed + static_cast<uint64_t>(signal));
    for (auto& value : local) value = sequence.next();
    if (!on_other_stack()) wrong_places = wrong_places + 1;
    seen_in_frame = static_cast<ucontext_t*>(context)->uc_stack;
    if (signal < 45) kill(getpid(), signal + 1);
    for (auto& value : local) sum = sum * 3 + value;
}

void test_alternate() {
    set_other_stack();
    for (int signal = 40; signal <= 45; signal++) catch_signal(signal, SA_ONSTACK, nest);
    kill(getpid(), 40);
    check_equal("stack.handlers_elsewhere", 0, wrong_places);
    check_equal("stack.in_the_frame", static_cast<long>(kStackSize),
                static_cast<long>(seen_in_frame.ss_size));
    report("stacks_sum", "%#lx", sum);
    catch_signal(SIGUSR1, 0, [](int, siginfo_t*, void*) { wrong_places = on_other_stack(); });
    kill(getpid(), SIGUSR1);
    check_equal("stack.only_with_onstack", 0, wrong_places);
}

int overflow(int depth) {
    volatile char frame[4000];
    frame[0] = static_cast<char>(depth);
    return depth == 1'000'000 ? 0 : overflow(depth + 1) + frame[0];
}

void test_overflow() {
    check_exited("stack.overflow_is_caught", 0, run_child([] {
        static sigjmp_buf back;
        static volatile int times;
        rlimit small = {1 << 20, 1 << 20};
        setrlimit(RLIMIT_STACK, &small);
        set_other_stack();
        catch_signal(SIGSEGV, SA_ONSTACK, [](int, siginfo_t*, void*) {
            times = times + 1;
            siglongjmp(back, on_other_stack() ? 1 : 2);
        });
        // Twice: the mask is put back by the jump, and the stack is free again.
        for (int i = 0; i < 2; i++) {
            int how = sigsetjmp(back, 1);
            if (how == 2) return 2;
            if (how == 0) overflow(0);
        }
        return times == 2 ? 0 : 1;
    }));
    check_killed("stack.overflow_without_one_kills", SIGSEGV, run_child([] {
        rlimit small = {1 << 20, 1 << 20};
        setrlimit(RLIMIT_STACK, &small);
        stack_t none = {nullptr, SS_DISABLE, 0};
        sigaltstack(&none, nullptr);
        catch_signal(SIGSEGV, SA_ONSTACK, [](int, siginfo_t*, void*) { _exit(1); });
        return overflow(0);
    }));
}

// ---- no stack at all ----

// Sends SIGUSR1, which has a handler, to itself with `rsp` in RSP.
[[noreturn]] void signal_with_stack(uint64_t rsp) {
    catch_signal(SIGUSR1, 0, [](int, siginfo_t*, void*) { _exit(1); });
    asm volatile("movq %0, %%rsp; movl $62, %%eax; syscall; movl $60, %%eax; movl $2, %%edi; syscall"
                 ::"r"(rsp), "D"(static_cast<long>(getpid())), "S"(static_cast<long>(SIGUSR1))
                 : "rax", "rcx", "r11", "memory");
    __builtin_unreachable();
}

void test_bad_stacks() {
    auto* read_only = static_cast<char*>(mmap(nullptr, 8192, PROT_READ,
                                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    const uint64_t places[] = {0,
                               64,
                               reinterpret_cast<uint64_t>(read_only) + 8192,
                               0x2'0000 + seed % 4096,
                               0x0000'8000'0000'0000 + seed % (1ull << 40) * 16,
                               0xffff'8880'0000'0000 + seed % (1 << 20) * 16,
                               0xffff'ffff'8010'0000 + seed % (1 << 16) * 16};
    for (uint64_t place : places) {
        check_killed("stack.bad_one_kills", SIGSEGV,
                     run_child([&]() -> int { signal_with_stack(place); }));
        check_killed("stack.bad_alternate_kills", SIGSEGV, run_child([&] {
            if (place == 0) return kill(getpid(), SIGSEGV);
            stack_t stack = {reinterpret_cast<void*>(place - 4096), 0, 4096};
            sigaltstack(&stack, nullptr);
            catch_signal(SIGUSR1, SA_ONSTACK, [](int, siginfo_t*, void*) { _exit(1); });
            kill(getpid(), SIGUSR1);
            return 2;
        }));
    }
    // A handler of its own does not help: it would need the same stack.
    check_killed("stack.bad_one_kills_in_spite_of_a_handler", SIGSEGV, run_child([]() -> int {
        catch_signal(SIGSEGV, 0, [](int, siginfo_t*, void*) { _exit(1); });
        signal_with_stack(64);
    }));
}

}  // namespace

int main() {
    need_handlers();
    seed = host_number("stacks_seed", 1);
    test_alternate();
    test_overflow();
    test_bad_stacks();
    return check_summary("stacks");
}
