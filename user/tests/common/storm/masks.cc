// Rounds about masks, waiting for signals, nesting handlers, and what handlers must not touch.
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/select.h>

#include "user/tests/common/storm/storm.h"
#include "user/tests/lib/futex.h"

namespace {

// ---- Waiting, in every way there is ----

// Calls wait(mask) with every signal blocked around it until `signal` has been handled.
template <typename Wait>
void wait_with_mask(int signal, uint64_t seen, const char* name, Wait wait) {
    Mask before = set_mask(SIG_SETMASK, kAll);
    Mask mask = before & ~bit_of(signal);
    self.temporary = mask;
    self.blocked = mask;
    self.outside = kAll;
    while (self.counts[signal] == seen) {
        uint64_t handled = self.handled;
        long result = wait(&mask);
        if (result != -1 || errno != EINTR) {
            violation(name, "returns %ld, errno %d", result, errno);
            break;
        }
        check_interrupted(name, handled);
    }
    self.outside = 0;
    self.blocked = before;
    if (current_mask() != kAll) violation(name, "the mask is %#lx afterwards", current_mask());
    set_mask(SIG_SETMASK, before);
}

void take_signal(int signal) {
    for (;;) {
        siginfo_t info = {};
        int taken = wait_signal(bit_of(signal), &info, nullptr);
        if (taken == -1 && errno == EINTR) continue;
        if (taken == signal && info.si_signo == signal) break;
        violation("sigtimedwait", "%d instead of %d, errno %d", taken, signal, errno);
        return;
    }
    self.counts[signal] = self.counts[signal] + 1;
}

void wait_unblocked(int signal, uint64_t seen) {
    self.blocked = self.blocked & ~bit_of(signal);
    set_mask(SIG_UNBLOCK, bit_of(signal));
    while (self.counts[signal] == seen) sched_yield();
    set_mask(SIG_BLOCK, bit_of(signal));
    self.blocked = self.blocked | bit_of(signal);
}

}  // namespace

void wait_for_signal(int signal, uint64_t seen, const char* what) {
    note(what);
    switch (self.random.below(5)) {
        case 0:
            return wait_with_mask(signal, seen, "sigsuspend", [](Mask* mask) {
                return syscall(SYS_rt_sigsuspend, mask, sizeof *mask);
            });
        case 1:
            return wait_with_mask(signal, seen, "ppoll", [](Mask* mask) {
                return syscall(SYS_ppoll, nullptr, 0, nullptr, mask, sizeof *mask);
            });
        case 2:
            return wait_with_mask(signal, seen, "pselect", [](Mask* mask) {
                struct {
                    Mask* mask;
                    size_t size;
                } argument = {mask, sizeof *mask};
                return syscall(SYS_pselect6, 0, nullptr, nullptr, nullptr, nullptr, &argument);
            });
        case 3: return take_signal(signal);
        default: return wait_unblocked(signal, seen);
    }
}

// ---- A signal to oneself ----

void own_round() {
    uint64_t seen = self.counts[kSelf];
    const timespec none = {};
    note("own: nothing");
    if (wait_signal(bit_of(kSelf), nullptr, &none) != -1 || (errno != EAGAIN && errno != EINTR))
        violation("own_before", "something was pending");
    send_to_self(kSelf);
    if (self.counts[kSelf] != seen) violation("own_blocked", "handled while blocked");
    if ((pending_signals() & bit_of(kSelf)) == 0) violation("own_pending", "not pending");
    if (self.random.below(3) == 0) {
        // One of those that a mask lets through is delivered before the call returns.
        self.blocked = self.blocked & ~bit_of(kSelf);
        set_mask(SIG_UNBLOCK, bit_of(kSelf));
        if (self.counts[kSelf] != seen + 1) violation("own_unblocked", "not delivered at once");
        set_mask(SIG_BLOCK, bit_of(kSelf));
        self.blocked = self.blocked | bit_of(kSelf);
    } else {
        wait_for_signal(kSelf, seen, "own: the signal that is pending");
    }
    if (self.counts[kSelf] != seen + 1)
        violation("own_once", "%lu times", self.counts[kSelf] - seen);
    // Several of a standard signal may be one.
    seen = self.counts[SIGUSR2];
    uint64_t sent = 1 + self.random.below(4);
    for (uint64_t i = 0; i < sent; i++) send_to_self(SIGUSR2);
    exact_mask(kBase & ~bit_of(SIGUSR2));
    exact_mask(kBase);
    uint64_t handled = self.counts[SIGUSR2] - seen;
    if (handled < 1 || handled > sent) violation("own_several", "%lu of %lu", handled, sent);
}

// ---- Blocking signals that others send ----

void mask_round() {
    for (int i = 0; i < 8; i++) {
        note("masks: nothing");
        Mask wanted = kBase;
        for (int signal : kOpenSignals)
            if (self.random.below(2) == 0) wanted |= bit_of(signal);
        for (unsigned w = 0; w < kWorkers; w++)
            if (self.random.below(2) == 0) wanted |= bit_of(kFirstOwned + static_cast<int>(w));
        set_mask(SIG_BLOCK, wanted);
        self.blocked = wanted;
        if (current_mask() != wanted)
            violation("mask", "%#lx instead of %#lx", current_mask(), wanted);
        for (uint64_t spins = self.random.below(2000); spins > 0; spins--)
            asm volatile("pause");
        if (self.random.below(4) == 0) sched_yield();
        self.blocked = kBase;
        set_mask(SIG_SETMASK, kBase);
        send_some();
    }
}

// ---- Two processes by turns ----

void turn_round() {
    uint64_t turns = 4 + self.random.below(20);
    pid_t parent = getpid();
    auto wait_turn = [](const char* what) {
        uint64_t seen = self.counts[kPing];
        wait_for_signal(kPing, seen, what);
        if (self.counts[kPing] != seen + 1)
            violation("turn_once", "%lu times", self.counts[kPing] - seen);
    };
    pid_t child = spawn([&] {
        for (uint64_t i = 0; i < turns; i++) {
            wait_turn("turns: the parent's signal (child)");
            kill(parent, kPing);
        }
        return 11;
    });
    for (uint64_t i = 0; i < turns; i++) {
        kill(child, kPing);
        wait_turn("turns: the child's signal");
    }
    check_that(reap(child, "turns: the child's end") == 11 << 8, "turn_status");
}

// ---- A process with two threads, one of which is always open ----
//
// Quiet: the other one opens and closes its mask; a signal that chose it while it was open must
// find the first. Rushing: both are open and run, and each signal comes together with one for
// the second thread alone, so that both look for what is pending at the same time.

namespace {

struct Crew {
    unsigned worker;
    bool rush;
    std::atomic<uint32_t> ended{0};
};

void* stay_open(void* argument) {
    auto& crew = *static_cast<Crew*>(argument);
    self.worker = crew.worker;
    self.child = true;
    shared->scratch[crew.worker].helper = static_cast<pid_t>(syscall(SYS_gettid));
    exact_mask(kAll & ~bit_of(kCrew) & ~bit_of(kNoise));
    while (crew.ended == 0) {
        if (crew.rush) asm volatile("pause");
        else futex_wait(&crew.ended, 0, nullptr);
    }
    return nullptr;
}

// Lets kCrew through and blocks it again, in one of the ways to do so.
void open_and_close() {
    const timespec none = {}, short_time = {0, 20'000};
    Mask open = kAll & ~bit_of(kCrew);
    switch (self.random.below(4)) {
        case 0:
            exact_mask(open);
            exact_mask(kAll);
            break;
        case 1: {
            int taken = wait_signal(bit_of(kCrew), nullptr,
                                    self.random.below(2) == 0 ? &none : &short_time);
            if (taken == kCrew) crew_signal_taken();
            break;
        }
        default:
            self.temporary = open;
            self.blocked = open;
            self.outside = kAll;
            syscall(SYS_ppoll, nullptr, 0, &short_time, &open, sizeof open);
            self.outside = 0;
            self.blocked = kAll;
    }
}

int crew_member(uint32_t turns, bool rush) {
    auto& scratch = shared->scratch[self.worker];
    exact_mask(kAll);
    Crew crew = {self.worker, rush};
    pthread_t thread;
    if (pthread_create(&thread, nullptr, stay_open, &crew) != 0) return 1;
    if (rush) exact_mask(kAll & ~bit_of(kCrew));
    while (scratch.helper == 0) sched_yield();
    for (uint32_t turn = 1; turn <= turns; turn++) {
        scratch.ready = turn;
        futex_wake(&scratch.ready, 1);
        if (rush) {
            while (scratch.got < turn) asm volatile("pause");
            continue;
        }
        for (uint64_t i = self.random.below(12); i > 0; i--) open_and_close();
        // From here on it is the other thread's.
        while (scratch.got < turn) futex_wait(&scratch.got, turn - 1, nullptr);
    }
    crew.ended = 1;
    futex_wake(&crew.ended, 1);
    pthread_join(thread, nullptr);
    return 12;
}

}  // namespace

void crew_round() {
    auto& scratch = shared->scratch[self.worker];
    bool rush = self.random.below(4) == 0;
    uint32_t turns = 2 + static_cast<uint32_t>(self.random.below(16));
    scratch.ready = scratch.got = 0;
    scratch.helper = 0;
    pid_t child = spawn([&] { return crew_member(turns, rush); });
    for (uint32_t turn = 1; turn <= turns; turn++) {
        note("crew: the child's readiness");
        while (scratch.ready < turn) futex_wait(&scratch.ready, turn - 1, nullptr);
        if (rush) syscall(SYS_tgkill, child, scratch.helper.load(), kNoise);
        kill(child, kCrew);
        note("crew: a signal that one of two threads should take");
        while (scratch.got < turn) {
            if (rush) sched_yield();
            else futex_wait(&scratch.got, turn - 1, nullptr);
        }
    }
    check_that(reap(child, "crew: the child's end") == 12 << 8, "crew_status");
    if (scratch.got != turns) violation("crew_once", "%u of %u", scratch.got.load(), turns);
}

// ---- Handlers in handlers ----

void nest_round() {
    note("nest: nothing");
    self.depth = 0;
    self.deepest = 0;
    send_to_self(kNodefer);
    if (self.deepest != 4) violation("nodefer", "%lu deep", self.deepest);
    uint64_t inner = self.counts[kInner];
    send_to_self(kOuter);
    if (self.counts[kInner] != inner + 1) violation("inner", "not run after the outer one");
    uint64_t on_stack = self.counts[kOnStack];
    send_to_self(kOnStack);
    if (self.counts[kOnStack] != on_stack + 1) violation("on_stack", "not run");
    if (self.thread != 0) return;  // an action is the process's
    uint64_t reset = self.counts[kResetHand];
    send_to_self(kResetHand);
    struct sigaction action;
    sigaction(kResetHand, nullptr, &action);
    if (self.counts[kResetHand] != reset + 1 || action.sa_handler != SIG_DFL)
        violation("resethand", "handled %lu times", self.counts[kResetHand] - reset);
    reset_hand();
}

// ---- Registers ----

extern "C" void storm_hold(const uint64_t* values, uint64_t* found, uint64_t loops);
// Loads ten general and sixteen vector registers and the red zone, waits in a loop, stores them.
asm(R"(
    .globl storm_hold
storm_hold:
    push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15
    mov %rsi, %rcx
    mov %rdi, %rax
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    movdqu 16*\n(%rax), %xmm\n
    mov 256+8*\n(%rax), %rbx
    mov %rbx, -128+8*\n(%rsp)
    .endr
    mov 384(%rax), %rbx; mov 392(%rax), %rbp; mov 400(%rax), %rdi; mov 408(%rax), %rsi
    mov 416(%rax), %r8; mov 424(%rax), %r9; mov 432(%rax), %r10; mov 440(%rax), %r11
    mov 448(%rax), %r12; mov 456(%rax), %r13; mov 464(%rax), %r14; mov 472(%rax), %r15
1:  pause
    dec %rdx
    jnz 1b
    mov %rbx, 384(%rcx); mov %rbp, 392(%rcx); mov %rdi, 400(%rcx); mov %rsi, 408(%rcx)
    mov %r8, 416(%rcx); mov %r9, 424(%rcx); mov %r10, 432(%rcx); mov %r11, 440(%rcx)
    mov %r12, 448(%rcx); mov %r13, 456(%rcx); mov %r14, 464(%rcx); mov %r15, 472(%rcx)
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    movdqu %xmm\n, 16*\n(%rcx)
    mov -128+8*\n(%rsp), %rbx
    mov %rbx, 256+8*\n(%rcx)
    .endr
    pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx
    ret
)");

void register_round() {
    uint64_t values[60], found[60];
    for (int i = 0; i < 8; i++) {
        note("registers: nothing");
        for (uint64_t& value : values) value = self.random.next();
        send_some();
        storm_hold(values, found, 1 + self.random.below(5000));
        if (memcmp(values, found, sizeof values) == 0) continue;
        int at = 0;
        while (values[at] == found[at]) at++;
        violation("registers", "word %d: %#lx instead of %#lx", at, found[at], values[at]);
    }
}
