// Signals from everybody to everybody, and the one handler behind all signals.
#include <stdlib.h>
#include <ucontext.h>

#include "user/tests/common/storm/storm.h"
#include "user/tests/lib/futex.h"

namespace {

// What a handler does to the registers must not be seen by whom it interrupted.
void wipe_registers() {
    asm volatile(
        "pcmpeqd %%xmm0, %%xmm0; movdqa %%xmm0, %%xmm1; movdqa %%xmm0, %%xmm7\n"
        "movdqa %%xmm0, %%xmm8; movdqa %%xmm0, %%xmm15; fninit; fld1; fld1\n"
        "mov $-1, %%rbx; mov %%rbx, %%r8; mov %%rbx, %%r11; mov %%rbx, %%r12\n"
        "mov %%rbx, %%r15; mov %%rbx, %%rcx; mov %%rbx, %%rdi; fninit" ::
            : "xmm0", "xmm1", "xmm7", "xmm8", "xmm15", "rbx", "r8", "r11", "r12", "r15", "rcx",
              "rdi", "memory");
}

void raise_to(std::atomic<uint64_t>& value, uint64_t least) {
    uint64_t old = value.load();
    while (old < least && !value.compare_exchange_weak(old, least)) {}
}

void handle_owned(int signal, const siginfo_t& info) {
    unsigned sender = static_cast<unsigned>(signal - kFirstOwned);
    if (self.child) return violation("strayed", "signal %d came to a child", signal);
    auto& channel = shared->owned[sender][self.worker];
    if (info.si_pid != shared->pids[sender] ||
        (info.si_code != SI_USER && info.si_code != SI_TKILL)) {
        violation("sender", "signal %d of pid %d says pid %d, code %d", signal,
                  shared->pids[sender].load(), info.si_pid, info.si_code);
    }
    uint64_t handled = ++channel.handled;
    if (handled > channel.sent)
        violation("doubled", "signal %d of worker %u: %lu sent, %lu handled", signal, sender,
                  channel.sent.load(), handled);
}

void handle_open(unsigned index) {
    if (self.child) return;  // counted are only the workers
    auto& open = shared->open[self.worker][index];
    raise_to(open.last_handled, ++shared->clock);
    uint64_t handled = ++open.handled;
    if (handled > open.sent)
        violation("more_than_sent", "signal %d: %lu sent, %lu handled", kOpenSignals[index],
                  open.sent.load(), handled);
}

// The mask is that of the interrupted context, or of the call that waits with one of its own,
// and the action's, and the signal itself.
void check_mask(int signal, const ucontext_t& context) {
    Mask interrupted;
    __builtin_memcpy(&interrupted, &context.uc_sigmask, sizeof interrupted);
    bool waiting = self.outside != 0 && interrupted == self.outside;
    Mask own = signal == kNodefer ? 0 : bit_of(signal);
    Mask wanted = (waiting ? self.temporary : interrupted) | action_mask(signal) | own;
    Mask mask = current_mask();
    if (mask != wanted)
        violation("handler_mask", "signal %d: %#lx instead of %#lx", signal, mask, wanted);
}

void handle_on_stack(const char* here) {
    if (here < self.stack || here >= self.stack + sizeof self.stack)
        violation("alternate_stack", "the handler is at %p", here);
    stack_t stack;
    sigaltstack(nullptr, &stack);
    if (stack.ss_flags != SS_ONSTACK) violation("stack_flags", "%#x", stack.ss_flags);
    uint64_t inner = self.counts[kInner];
    send_to_self(kInner);  // has no SA_ONSTACK: it stays where we are
    if (self.counts[kInner] != inner + 1) violation("nested_on_stack", "it did not run");
}

void handle(int signal, siginfo_t* info, void* context) {
    int error = errno;
    Mask bit = bit_of(signal), before = self.running;
    if (((self.blocked | before) & bit) != 0 && signal != kNodefer)
        violation("handler_while_blocked", "signal %d, blocked %#lx, in handlers %#lx", signal,
                  self.blocked, before);
    self.running = before | action_mask(signal) | (signal == kNodefer ? 0 : bit);
    self.handled = self.handled + 1;
    self.counts[signal] = self.counts[signal] + 1;
    if (self.handled % 4 == 0) check_mask(signal, *static_cast<ucontext_t*>(context));
    wipe_registers();
    if (signal >= kFirstOwned && signal < kFirstOwned + static_cast<int>(kWorkers))
        handle_owned(signal, *info);
    for (unsigned i = 0; i < kOpenCount; i++)
        if (kOpenSignals[i] == signal) handle_open(i);
    switch (signal) {
        case kNodefer:
        case kOuter: {
            self.depth = self.depth + 1;
            if (self.deepest < self.depth) self.deepest = self.depth;
            uint64_t inner = self.counts[kInner];
            if (signal == kNodefer && self.depth < 4) send_to_self(kNodefer);
            if (signal == kOuter) send_to_self(kInner);
            if (signal == kOuter && self.counts[kInner] != inner)
                violation("action_mask", "the inner handler ran inside the outer one");
            self.depth = self.depth - 1;
            break;
        }
        case kOnStack: handle_on_stack(static_cast<char*>(__builtin_frame_address(0))); break;
        case kCrew: crew_signal_taken(); break;
        case SIGALRM: self.stamp_ns = now_ns(); break;
    }
    self.running = before;
    errno = error;
}

void install(int signal, int flags) {
    struct sigaction action {};
    action.sa_sigaction = handle;
    action.sa_flags = SA_SIGINFO | flags | (self.restart ? SA_RESTART : 0);
    Mask mask = action_mask(signal);
    __builtin_memcpy(&action.sa_mask, &mask, sizeof mask);
    if (sigaction(signal, &action, nullptr) != 0) violation("sigaction", "signal %d", signal);
}

// To the process or to one of its threads.
void send(unsigned target, int signal) {
    pid_t pid = shared->pids[target];
    const auto& slot = shared->slots[target][self.random.below(target % 4 == 1 ? kThreads : 1)];
    bool thread = self.random.below(3) == 0;
    long sent = thread ? syscall(SYS_tgkill, pid, slot.tid.load(), signal) : kill(pid, signal);
    if (sent != 0) violation("send", "signal %d to pid %d, errno %d", signal, pid, errno);
}

void count_open(unsigned target, unsigned index) {
    auto& open = shared->open[target][index];
    ++open.sent;
    raise_to(open.last_sent, ++shared->clock);
}

// The next of the worker's own signals, if the last one has been handled. By its first thread.
bool send_owned(unsigned target) {
    auto& channel = shared->owned[self.worker][target];
    if (channel.handled != channel.sent) return false;
    channel.sent_ns = now_ns();
    ++channel.sent;
    send(target, kFirstOwned + static_cast<int>(self.worker));
    return true;
}

void send_open(unsigned target) {
    unsigned index = static_cast<unsigned>(self.random.below(kOpenCount));
    if (kOpenSignals[index] != kGroup) {
        count_open(target, index);
        send(target, kOpenSignals[index]);
    } else if (self.random.below(4) == 0) {
        for (unsigned i = 0; i < kWorkers; i++) count_open(i, index);
        if (kill(-shared->group, kGroup) != 0) violation("send_to_group", "errno %d", errno);
    }
}

}  // namespace

void crew_signal_taken() {
    auto& got = shared->scratch[self.worker].got;
    got++;
    futex_wake(&got, 100);
}

void reset_hand() { install(kResetHand, static_cast<int>(SA_RESETHAND)); }

void install_handlers() {
    for (unsigned i = 0; i < kWorkers; i++) install(kFirstOwned + static_cast<int>(i), 0);
    for (int signal : kOpenSignals) install(signal, signal == SIGURG ? SA_ONSTACK : 0);
    for (int signal : {kOuter, kInner, kPing, kCrew, kNoise, kSelf, SIGALRM, SIGCHLD, SIGUSR2})
        install(signal, 0);
    install(kNodefer, SA_NODEFER);
    install(kOnStack, SA_ONSTACK);
    reset_hand();
}

void send_some() {
    unsigned target = static_cast<unsigned>(self.random.below(kWorkers));
    if (self.thread == 0) send_owned(target);
    send_open(target);
}

void flood_round() {
    note("flood: nothing");
    unsigned target = shared->victim;
    for (int sent = 0, looks = 0; sent < 100 && looks < 2000; looks++) {
        if (send_owned(target)) sent++;
        else asm volatile("pause");
    }
}
