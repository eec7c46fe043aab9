// What a handler finds, and what it leaves behind: the interrupted program must go on with
// every register as it was, or as the handler wanted it; and what a handler writes into its
// frame must not get it more than a program may have.
//
// A child sends signals; the handler counts one only when it interrupted one of the waiting
// loops below, which hold the host's data in all registers, and returns with all of them
// wiped out. Reported: `frames_registers`, a hash over what was found in the registers after
// all rounds; `frames_edited`, the same after a handler changed some of them.
// Host data: `frames_seed`, `frames_rounds`.
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>

#include "user/tests/6-signals/handlers.h"
#include "user/tests/lib/check.h"
#include "user/tests/lib/child.h"
#include "user/tests/lib/report.h"
#include "user/tests/lib/shared_memory.h"

// r8 to r15, rdi, rsi, rbp, rbx, rdx, rax, rcx.
struct alignas(16) Registers {
    uint64_t general[15], flags;
    uint64_t vector[16][2];
    uint64_t red_zone[16];
    uint64_t mxcsr, control;
};
static_assert(sizeof(Registers) == 528);

extern "C" {
Registers wanted, found, after_edit;
uint64_t wide_wanted[4], wide_found[4];
volatile uint64_t caught[3];  // in each of the loops
uint64_t entry_rsp, entry_flags;
int64_t own_pid;
uint64_t has_avx;

void hold_registers();
void hold_wide_register();
void handler_entry(int, siginfo_t*, void*);
void handle(int signal, siginfo_t* info, void* context);
extern char loop_0[], loop_0_end[], loop_1[], loop_1_end[], loop_2[], loop_2_end[];
}

// Nothing here may change a flag or a register that is looked at afterwards.
asm(R"(
    .macro each_general op
    \op 0, %r8; \op 1, %r9; \op 2, %r10; \op 3, %r11; \op 4, %r12; \op 5, %r13; \op 6, %r14
    \op 7, %r15; \op 8, %rdi; \op 9, %rsi; \op 10, %rbp; \op 11, %rbx; \op 12, %rdx; \op 13, %rax
    .endm
    .macro load_general n, r
    movq wanted+8*\n(%rip), \r
    .endm
    .macro store_general n, r
    movq \r, found+8*\n(%rip)
    .endm
    .macro store_edited n, r
    movq \r, after_edit+8*\n(%rip)
    .endm
    .macro wipe_general n, r
    movq $-1, \r
    .endm
    .macro each_vector op
    \op 0; \op 1; \op 2; \op 3; \op 4; \op 5; \op 6; \op 7
    \op 8; \op 9; \op 10; \op 11; \op 12; \op 13; \op 14; \op 15
    .endm
    .macro load_vector n
    movups wanted+128+16*\n(%rip), %xmm\n
    .endm
    .macro store_vector n
    movups %xmm\n, found+128+16*\n(%rip)
    .endm
    .macro store_edited_vector n
    movups %xmm\n, after_edit+128+16*\n(%rip)
    .endm
    .macro wipe_vector n
    pcmpeqd %xmm\n, %xmm\n
    .endm
    .macro load_red_zone n
    movq wanted+384+8*\n(%rip), %rax
    movq %rax, -8-8*\n(%rsp)
    .endm
    .macro store_red_zone n
    movq -8-8*\n(%rsp), %rax
    movq %rax, found+384+8*\n(%rip)
    .endm

    .text
    .globl hold_registers, loop_0, loop_0_end, loop_1, loop_1_end
hold_registers:
    pushq %rbx; pushq %rbp; pushq %r12; pushq %r13; pushq %r14; pushq %r15
    ldmxcsr wanted+512(%rip)
    fldcw wanted+520(%rip)
    each_vector load_vector
    pushq wanted+120(%rip)
    popfq
    each_vector load_red_zone
    each_general load_general
loop_0:
    movq caught(%rip), %rcx
    jrcxz loop_0
loop_0_end:
    each_general store_general
    each_vector store_red_zone
    pushfq
    popq found+120(%rip)
    cld
    each_vector store_vector
    stmxcsr found+512(%rip)
    fnstcw found+520(%rip)

    movq wanted+8*3(%rip), %r11
    movq wanted+8*14(%rip), %rcx
loop_1:
    cmpq $0, caught+8(%rip)
    je loop_1
loop_1_end:
    movq %r11, found+8*3(%rip)
    movq %rcx, found+8*14(%rip)

    each_general load_general
    movl $62, %eax  # kill
    movq own_pid(%rip), %rdi
    movl $12, %esi  # SIGUSR2
    syscall
    each_general store_edited
    each_vector store_edited_vector
    movl $0x1f80, -8(%rsp)
    ldmxcsr -8(%rsp)
    fninit
    popq %r15; popq %r14; popq %r13; popq %r12; popq %rbp; popq %rbx
    ret

    .globl hold_wide_register, loop_2, loop_2_end
hold_wide_register:
    vmovups wide_wanted(%rip), %ymm7
loop_2:
    cmpq $0, caught+16(%rip)
    je loop_2
loop_2_end:
    vmovups %ymm7, wide_found(%rip)
    vzeroupper
    ret

    .globl handler_entry
handler_entry:
    movq %rsp, entry_rsp(%rip)
    pushfq
    popq %rax
    orq %rax, entry_flags(%rip)  # of all calls
    cld
    subq $8, %rsp
    call handle
    addq $8, %rsp
    cmpq $0, has_avx(%rip)
    je 1f
    vzeroall
1:  each_vector wipe_vector
    movl $0x1f80, -8(%rsp)
    ldmxcsr -8(%rsp)
    fninit
    each_general wipe_general
    movq $-1, %rcx
    ret
)");

namespace {

Sending* shared;
uint64_t edit;
void (*forge)(ucontext_t&);  // what the handler of SIGUSR2 does to its frame

void edit_registers(ucontext_t& context) {
    context.uc_mcontext.gregs[REG_RAX] = static_cast<greg_t>(edit);
    context.uc_mcontext.gregs[REG_R12] += static_cast<greg_t>(edit);
    uint64_t value;
    auto* place = &context.uc_mcontext.fpregs->_xmm[5];
    memcpy(&value, place, sizeof value);
    value ^= edit;
    memcpy(place, &value, sizeof value);
}

void catch_signal(int signal, int flags = 0) {
    struct sigaction action {};
    action.sa_flags = SA_SIGINFO | flags;
    action.sa_sigaction = handler_entry;
    sigaction(signal, &action, nullptr);
}

// ---- contexts ----

Registers draw(Sequence& sequence) {
    constexpr uint64_t kFlags = 0xcd5;  // CF PF AF ZF SF DF OF
    Registers r{};
    for (uint64_t& value : r.general) value = sequence.next();
    r.flags = (sequence.next() & kFlags) | 0x202;
    for (auto& pair : r.vector) pair[0] = sequence.next(), pair[1] = sequence.next();
    for (uint64_t& value : r.red_zone) value = sequence.next();
    r.mxcsr = 0x1f80 | sequence.below(4) << 13;
    r.control = 0x37f | sequence.below(4) << 10;
    return r;
}

void test_registers(uint64_t seed, uint64_t rounds) {
    forge = edit_registers;
    catch_signal(SIGUSR1);
    catch_signal(SIGUSR2);
    own_pid = getpid();
    pid_t sender = start_child([] { return send_signals(getppid(), *shared); });
    Sequence sequence(seed);
    uint64_t hash = kHashStart, edited = kHashStart;
    for (uint64_t round = 0; round < rounds; round++) {
        wanted = draw(sequence);
        edit = sequence.next();
        caught[0] = 0;
        caught[1] = 0;
        hold_registers();
        // Not before: a SIGUSR1 that came with SIGUSR2 would have its handler interrupted, and
        // the registers of that one edited.
        shared->handled++;
        found.mxcsr &= ~0x3full;  // flags that exceptions set
        hash = hash_bytes(&found, sizeof found, hash);
        check_equal("context.argument_1_kept", own_pid, static_cast<long>(after_edit.general[8]));
        check_equal("context.argument_2_kept", SIGUSR2, static_cast<long>(after_edit.general[9]));
        after_edit.general[3] = after_edit.general[8] = after_edit.general[9] = 0;
        edited = hash_bytes(&after_edit, sizeof after_edit, edited);
        if (has_avx != 0) {
            for (uint64_t& value : wide_wanted) value = sequence.next();
            caught[2] = 0;
            hold_wide_register();
            check_bytes("context.avx_register", wide_wanted, wide_found, sizeof wide_found);
        }
    }
    shared->stop = true;
    check_exited("context.sender", 0, wait_status(sender));
    report("frames_avx", "%lu", has_avx);
    report("frames_registers", "%#lx", hash);
    report("frames_edited", "%#lx", edited);
    // As after a CALL (System V ABI, 3.2.2).
    check_equal("handler.stack_alignment", 8, static_cast<long>(entry_rsp % 16));
    check_equal("handler.direction_flag", 0, static_cast<long>(entry_flags & 0x400));
}

// ---- frames that ask for too much ----

// A child whose handler does `forgery` to its frame, and what it does after that.
template <typename Body>
int run_forger(void (*forgery)(ucontext_t&), Body&& body) {
    return run_child([&] {
        forge = forgery;
        catch_signal(SIGUSR2);
        kill(getpid(), SIGUSR2);
        return body();
    });
}

constexpr greg_t kKernelAddress = static_cast<greg_t>(0xffffffff80100000);
greg_t wild_address;

void test_forged_registers() {
    check_exited("trust.flags", 0, run_forger(
        [](ucontext_t& c) {  // no IF, IOPL 3, NT
            c.uc_mcontext.gregs[REG_EFL] = (c.uc_mcontext.gregs[REG_EFL] & ~0x200) | 0x7000;
        },
        [] {
            uint64_t flags;
            asm volatile("pushfq; popq %0" : "=r"(flags));
            return (flags & 0x7000) != 0 ? 1 : (flags & 0x200) == 0 ? 2 : 0;
        }));
    check_exited("trust.segments", 0, run_forger(
        [](ucontext_t& c) { c.uc_mcontext.gregs[REG_CSGSFS] = 0x0010'0000'0000'0008; },
        [] {
            uint64_t cs, ss;
            asm volatile("mov %%cs, %0; mov %%ss, %1" : "=r"(cs), "=r"(ss));
            return (cs & 3) == 3 && (ss & 3) == 3 ? 0 : 1;
        }));
    check_exited("trust.mask", 0, run_forger(
        [](ucontext_t& c) { memset(&c.uc_sigmask, 0xff, 8); },
        [] {
            uint64_t mask = 0, all_but_two = ~(1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1));
            syscall(SYS_rt_sigprocmask, SIG_BLOCK, nullptr, &mask, 8l);
            return mask == all_but_two ? 0 : mask == ~0ull ? 1 : 2;
        }));
    check_killed("trust.non_canonical_rip", SIGSEGV, run_forger(
        [](ucontext_t& c) { c.uc_mcontext.gregs[REG_RIP] = wild_address; }, [] { return 0; }));
    check_killed("trust.kernel_rip", SIGSEGV, run_forger(
        [](ucontext_t& c) { c.uc_mcontext.gregs[REG_RIP] = kKernelAddress; }, [] { return 0; }));
}

void test_forged_memory() {
    // Either is sound: the state is put right, or the program dies. The machine must not.
    int status = run_forger(
        [](ucontext_t& c) {
            auto* area = reinterpret_cast<unsigned char*>(c.uc_mcontext.fpregs);
            memset(area + 24, 0xff, 4);    // MXCSR: reserved bits
            memset(area + 512, 0xff, 64);  // the header of XSAVE
        },
        [] { return 0; });
    if (!WIFSIGNALED(status)) check_exited("trust.fpu_state", 0, status);
    for (greg_t address : {greg_t{8}, kKernelAddress, wild_address}) {
        static greg_t place;
        place = address;
        check_killed("trust.fpu_pointer", SIGSEGV, run_forger(
            [](ucontext_t& c) {
                c.uc_mcontext.fpregs = reinterpret_cast<decltype(c.uc_mcontext.fpregs)>(place);
            },
            [] { return 0; }));
        check_killed("trust.no_frame", SIGSEGV, run_child([&] {
            asm volatile("movq %0, %%rsp; movl $15, %%eax; syscall; ud2" ::"r"(address) : "rax");
            return 0;
        }));
    }
}

}  // namespace

void handle(int signal, siginfo_t*, void* context) {
    auto& interrupted = *static_cast<ucontext_t*>(context);
    if (signal == SIGUSR2) return forge(interrupted);
    auto* rip = reinterpret_cast<char*>(interrupted.uc_mcontext.gregs[REG_RIP]);
    if (rip >= loop_0 && rip < loop_0_end) caught[0] = 1;
    if (rip >= loop_2 && rip < loop_2_end) caught[2] = 1;
    if (rip >= loop_1 && rip < loop_1_end) {
        caught[1] = 1;  // the sender waits until the round is over
    } else {
        shared->handled++;
    }
}

int main() {
    need_handlers();
    uint64_t seed = host_number("frames_seed", 1);
    shared = shared_memory<Sending>();
    has_avx = __builtin_cpu_supports("avx") ? 1 : 0;
    wild_address = static_cast<greg_t>(0x8000'0000'0000'0000 | seed << 3);
    test_registers(seed, host_number("frames_rounds", 20));
    test_forged_registers();
    test_forged_memory();
    return check_summary("frames");
}
