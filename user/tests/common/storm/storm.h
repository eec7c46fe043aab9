// The signal storm: 16 processes, four of them with four threads, that send each other signals
// while each of them lives on signals: it waits for some, blocks some, nests their handlers,
// is interrupted in sleeps and pipes, stops, continues and kills children.
//
//   storm [SECONDS [SEED]]     default 10 s, seed 1
//
// What is asked is what POSIX promises, and Linux keeps (run it there):
//   - a signal sent is delivered, once if the sender waits for that before the next; of many
//     sent at least one is delivered after the last, and never more than were sent;
//   - no handler runs while its signal is blocked, and its mask is what it should be;
//   - who waits for a signal atomically (sigsuspend, ppoll, pselect, sigtimedwait) misses none;
//   - a timer's signal comes, and not before its time; a cancelled one does not come;
//   - an interrupted call says so, only when a handler ran and (where that counts) without
//     SA_RESTART, and accounts exactly for what it did;
//   - every child is reaped once, with the right status, and SIGCHLD comes after each last one;
//   - handlers leave all registers and the red zone as they were.
//
// Every process runs rounds of all kinds in an order that the seed decides. The parent
// stops and continues processes in between, watches that everybody makes progress (who does
// not for kHangSeconds is a failure that says what was waited for), and sums up.
#pragma once
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>

#include "user/tests/lib/report.h"

inline constexpr unsigned kWorkers = 16, kThreads = 4;
inline constexpr uint64_t kHangSeconds = 40;
inline constexpr uint64_t kSecond = 1'000'000'000;

// ---- Signals ----

using Mask = uint64_t;  // signal n is bit n - 1, as the kernel has it
constexpr Mask bit_of(int signal) { return 1ull << (signal - 1); }
// All that a program may block, but the three that musl keeps for itself.
inline constexpr Mask kAll =
    ~(bit_of(SIGKILL) | bit_of(SIGSTOP) | bit_of(32) | bit_of(33) | bit_of(34));

// Sender w owns number kFirstOwned + w at each target: it sends the next when the last has
// been handled, so each must be handled exactly once.
inline constexpr int kFirstOwned = 35;
// Sent by anybody at any time: SIGUSR1, SIGURG and these, the last one to the whole group.
inline constexpr int kFirstOpen = 51, kGroup = 55;
inline constexpr int kOpenSignals[] = {SIGUSR1, SIGURG, kFirstOpen, kFirstOpen + 1,
                                       kFirstOpen + 2, kGroup};
inline constexpr unsigned kOpenCount = sizeof kOpenSignals / sizeof *kOpenSignals;
// Private to rounds: what they do to each other.
inline constexpr int kNodefer = 56, kResetHand = 57, kOuter = 58, kInner = 59, kOnStack = 60;
inline constexpr int kPing = 61, kCrew = 62, kNoise = 63, kSelf = 64;
// Blocked by every thread while it does not wait for them.
inline constexpr Mask kBase = bit_of(kPing) | bit_of(kCrew) | bit_of(kNoise) |
                              bit_of(kSelf) | bit_of(SIGALRM) | bit_of(SIGCHLD) |
                              bit_of(SIGUSR2);
constexpr Mask action_mask(int signal) {
    if (signal == kFirstOpen || signal == kFirstOwned + 3) return kAll;
    return signal == kOuter ? bit_of(kInner) | bit_of(kFirstOpen + 1) : 0;
}

// ---- What all processes share ----

enum Kind : unsigned {
    kFloodRounds, kOwnRounds, kMaskRounds, kTurnRounds, kCrewRounds, kNestRounds, kRegisterRounds,
    kTimerRounds, kSleepRounds, kPipeRounds, kInterruptRounds,
    kFutexRounds, kChildRounds, kStopRounds, kKinds
};

struct Shared {
    std::atomic<bool> stop, finish;  // no new rounds; no more signals are on their way
    std::atomic<unsigned> quiet, violations;
    std::atomic<unsigned> victim;  // to whom floods go
    std::atomic<uint64_t> clock;  // ticks with every open signal sent and handled
    struct alignas(64) Slot {     // a thread: what it waits for, since when
        std::atomic<const char*> waits;
        std::atomic<uint64_t> since_ns;
        std::atomic<pid_t> tid;
    } slots[kWorkers][kThreads];
    std::atomic<pid_t> pids[kWorkers];
    pid_t group;
    struct alignas(64) Owned {
        std::atomic<uint64_t> sent, handled, sent_ns;
    } owned[kWorkers][kWorkers];  // by sender and target
    struct alignas(64) Open {
        std::atomic<uint64_t> sent, handled, last_sent, last_handled;  // the last two: clock
    } open[kWorkers][kOpenCount];
    struct alignas(64) Scratch {  // of a worker and its child
        std::atomic<uint32_t> word, ready, got;
        std::atomic<uint64_t> steps;
        std::atomic<pid_t> helper;  // a second thread of the child
    } scratch[kWorkers];
    std::atomic<uint64_t> rounds[kKinds];
};
extern Shared* shared;

// ---- The calling thread ----

struct Self {
    unsigned worker, thread;
    bool child;    // of a worker: no signals but its round's and the group's
    bool restart;  // the handlers of this process have SA_RESTART
    Sequence random{0};
    // Written by the thread, read in its handlers.
    volatile Mask blocked;    // surely
    volatile Mask temporary;  // of the waiting call, while `outside` is not 0
    volatile Mask outside;    // the mask around it
    // Written in handlers.
    volatile Mask running;      // blocked by handlers that have not ended
    volatile uint64_t handled;  // in all
    volatile uint64_t counts[65];
    volatile uint64_t depth, deepest, stamp_ns;
    alignas(16) char stack[32768];  // the alternate one
};
extern constinit thread_local Self self;

// Something that must not be. Counted and said at once.
[[gnu::format(printf, 2, 3)]] void violation(const char* name, const char* format, ...);
inline bool check_that(bool held, const char* name) {
    if (!held) violation(name, "errno %d", errno);
    return held;
}

uint64_t now_ns();
// What the thread is about to wait for; it made progress to get here.
void note(const char* waits_for);
inline bool going_on() { return !shared->stop.load(std::memory_order_relaxed); }

// A child of the calling process that runs `body` and exits with what it returns. It has the
// handlers and the mask of its parent, and knows that it is a child before any of them runs.
pid_t spawn_begin(Mask& old);
void spawn_end(Mask old);
template <typename Body>
pid_t spawn(Body&& body) {
    Mask old;
    pid_t pid = spawn_begin(old);
    if (pid == 0) _exit(body());
    spawn_end(old);
    return pid;
}
// Waits for the child; its wait status.
int reap(pid_t child, const char* what);

// May a call that began when self.handled was `before` say EINTR? Not without a handler.
void check_interrupted(const char* call, uint64_t before);
// Nor when all handlers restart calls like it.
void check_interrupted_restartable(const char* call, uint64_t before);

// ---- Calls, with masks as words ----

inline Mask set_mask(int how, Mask mask) {
    Mask old;
    syscall(SYS_rt_sigprocmask, how, &mask, &old, sizeof mask);
    return old;
}
// A mask that is known to be exactly this, here and in handlers.
inline void exact_mask(Mask mask) {
    set_mask(SIG_SETMASK, kAll);
    self.blocked = mask;
    set_mask(SIG_SETMASK, mask);
}
inline Mask current_mask() {
    Mask mask;
    syscall(SYS_rt_sigprocmask, 0, nullptr, &mask, sizeof mask);
    return mask;
}
inline Mask pending_signals() {
    Mask mask;
    syscall(SYS_rt_sigpending, &mask, sizeof mask);
    return mask;
}
inline int wait_signal(Mask set, siginfo_t* info, const timespec* timeout) {
    return static_cast<int>(syscall(SYS_rt_sigtimedwait, &set, info, timeout, sizeof set));
}
inline void send_to_self(int signal) {
    syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), signal);
}

// Waits until a handler of `signal`, blocked so far, has run once more than `seen` times (or,
// sigtimedwait's way, takes it without handler and counts it), in a way that chance decides.
void wait_for_signal(int signal, uint64_t seen, const char* what);

// ---- Rounds, each a verification of its own ----

void send_some();  // to other workers, mesh.cc
void flood_round();  // many to one
void install_handlers();
void crew_signal_taken();  // kCrew, by its handler or by sigtimedwait
void own_round();
void mask_round();
void turn_round();
void crew_round();
void nest_round();
void reset_hand();
void register_round();
void timer_round();
void sleep_round();
void pipe_round();
void interrupt_round();
void futex_round();
void child_round();
void stop_round();
