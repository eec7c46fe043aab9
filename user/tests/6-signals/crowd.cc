// Many signals between processes that run at once: none may be lost, wherever its target is
// just then: before its look, between look and sleep, asleep, or in a loop on another CPU.
//
//   turns    pairs of processes that wake each other with sigsuspend, by turns, and change a
//            token at every step
//   senders  three processes, each with signals of its own, to one that waits, in three ways;
//            each sends the next when the last has arrived
//   spinners processes in endless loops that only a handler can end
//   forks    a group that hops from process to process and gets one SIGKILL
//
// Reported: `crowd_turns`, the sum of the tokens; `crowd_senders`, a sum over what arrived;
// `crowd_spinners`, what their handlers computed.
// Host data: `crowd_seed`, `crowd_turns`, `crowd_signals`.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "user/tests/4-sched/crew.h"
#include "user/tests/6-signals/handlers.h"
#include "user/tests/lib/child.h"
#include "user/tests/lib/report.h"
#include "user/tests/lib/shared_memory.h"

namespace {

constexpr unsigned kPairs = 3, kSenders = 3, kEach = 8;  // signals of each sender
constexpr unsigned kSpinners = 4;

struct Shared {
    struct alignas(64) Pair {
        std::atomic<uint64_t> turn{0};
        uint64_t token = 0;
        std::atomic<pid_t> players[2] = {};
    } pairs[kPairs];
    struct alignas(64) Sender {
        std::atomic<uint64_t> arrived{0};
    } senders[kSenders];
    std::atomic<uint64_t> sum{0};
    std::atomic<unsigned> ready{0}, done{0};
    std::atomic<uint64_t> forked{0};
};
Shared* shared;
uint64_t seed, turns, signals;

uint64_t next_token(uint64_t token, uint64_t player) { return Sequence(token + player).next(); }

// Kills and reaps what is left of `children`.
void end_children(const pid_t* children, unsigned count) {
    for (unsigned i = 0; i < count; i++) kill(children[i], SIGKILL);
    for (unsigned i = 0; i < count; i++) wait_status(children[i]);
}

sigset_t blocked_usr1() {
    sigset_t set, old;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, &old);
    return old;
}

void catch_signal(int signal, void (*handler)(int)) {
    struct sigaction action {};
    action.sa_handler = handler;
    sigaction(signal, &action, nullptr);
}

// ---- turns ----

int take_turns(Shared::Pair& pair, uint64_t me) {
    catch_signal(SIGUSR1, [](int) {});
    sigset_t open = blocked_usr1();
    pair.players[me] = getpid();
    while (pair.players[1 - me] == 0) sched_yield();
    for (;;) {
        uint64_t turn = pair.turn.load();
        if (turn >= turns) return 0;
        if (turn % 2 != me) {
            sigsuspend(&open);  // a signal that came before it ends it, too
            continue;
        }
        pair.token = next_token(pair.token, me);
        pair.turn.store(turn + 1);
        kill(pair.players[1 - me], SIGUSR1);
    }
}

void test_turns() {
    pid_t players[2 * kPairs];
    for (unsigned i = 0; i < 2 * kPairs; i++) {
        if (i % 2 == 0) shared->pairs[i / 2].token = seed + i / 2;
        players[i] = start_child([&] {
            int result = take_turns(shared->pairs[i / 2], i % 2);
            shared->done++;
            return result;
        });
    }
    watch("turns", "a signal was lost between the look and the sleep of sigsuspend?",
          kPairs * turns, [] { return shared->done == 2 * kPairs; },
          [] {
              uint64_t sum = 0;
              for (const auto& pair : shared->pairs) sum += pair.turn.load();
              return sum;
          });
    end_children(players, 2 * kPairs);
    uint64_t sum = 0;
    for (const auto& pair : shared->pairs) sum += pair.token;
    report("crowd_turns", "%#lx", sum);
}

// ---- senders ----

// Sender s owns signals 35 + 8 s and the seven after it.
constexpr int first_signal(unsigned sender) { return 35 + static_cast<int>(kEach * sender); }
unsigned sender_of(int signal) { return static_cast<unsigned>(signal - 35) / kEach; }

void arrive(int signal) {
    shared->sum += next_token(seed, static_cast<uint64_t>(signal));
    shared->senders[sender_of(signal)].arrived++;
}

int send_all(unsigned me, pid_t target, bool to_thread) {
    Sequence sequence(seed + 100 + me);
    for (uint64_t n = 0; n < signals; n++) {
        uint64_t arrived = shared->senders[me].arrived;
        int signal = first_signal(me) + static_cast<int>(sequence.below(kEach));
        if (to_thread) syscall(SYS_tgkill, target, target, signal);
        else kill(target, signal);
        while (shared->senders[me].arrived == arrived) sched_yield();
    }
    shared->done++;
    return 0;
}

uint64_t arrived_in_all() {
    uint64_t sum = 0;
    for (const auto& sender : shared->senders) sum += sender.arrived.load();
    return sum;
}

// How the receiver waits: 0 with its mask open, 1 opening and closing it, 2 in sigtimedwait.
int receive(unsigned way) {
    sigset_t ours, open;
    sigemptyset(&ours);
    for (unsigned s = 0; s < kSenders; s++) {
        for (unsigned i = 0; i < kEach; i++) sigaddset(&ours, first_signal(s) + static_cast<int>(i));
    }
    for (int signal = first_signal(0); signal < first_signal(kSenders); signal++)
        catch_signal(signal, arrive);
    if (way != 0) sigprocmask(SIG_BLOCK, &ours, &open);
    shared->ready++;
    for (;;) {
        if (way == 1) {
            sigprocmask(SIG_SETMASK, &open, nullptr);
            sigprocmask(SIG_BLOCK, &ours, nullptr);
            sched_yield();
        } else if (way == 2) {
            timespec second = {1, 0};
            int signal = sigtimedwait(&ours, nullptr, &second);
            if (signal > 0) arrive(signal);
        } else {
            sched_yield();
        }
    }
}

void test_senders() {
    for (unsigned way = 0; way < 3; way++) {
        for (bool to_thread : {false, true}) {
            shared->done = shared->ready = 0;
            for (auto& sender : shared->senders) sender.arrived = 0;
            pid_t children[kSenders + 1];
            children[kSenders] = start_child([&] { return receive(way); });
            while (shared->ready == 0) sched_yield();
            for (unsigned s = 0; s < kSenders; s++) {
                children[s] =
                    start_child([&] { return send_all(s, children[kSenders], to_thread); });
            }
            const char* likely =
                to_thread ? "a bit of the thread's pending set was lost: is it changed atomically?"
                          : "a bit of the process's pending set was lost, or its target not told";
            bool good = watch("senders", likely, kSenders * signals,
                              [] { return shared->done == kSenders; }, arrived_in_all);
            end_children(children, kSenders + 1);
            if (!good) return;
        }
    }
    report("crowd_senders", "%#lx", shared->sum.load());
}

// ---- spinners ----

void test_spinners() {
    static unsigned me;
    pid_t children[kSpinners];
    shared->ready = shared->done = 0;
    shared->sum = 0;
    for (me = 0; me < kSpinners; me++) {
        children[me] = start_child([]() -> int {
            catch_signal(SIGUSR1, [](int) {
                shared->sum += next_token(seed, me);
                shared->done++;
                _exit(0);
            });
            shared->ready++;
            for (;;) relax();
        });
    }
    while (shared->ready < kSpinners) sched_yield();
    for (pid_t child : children) kill(child, SIGUSR1);
    watch("spinners", "a loop makes no system call: deliver on the way back from interrupts, too",
          kSpinners, [] { return shared->done == kSpinners; }, [] { return shared->done.load(); });
    end_children(children, kSpinners);
    report("crowd_spinners", "%#lx", shared->sum.load());
}

// ---- forks ----

// One process after the other: each forks the next and ends.
[[noreturn]] void fork_for_ever() {
    for (;;) {
        pid_t child = fork();
        shared->forked++;
        if (child > 0) _exit(0);
    }
}

void test_forks() {
    for (int round = 0; round < 5; round++) {
        int lives[2];
        check_works("forks.pipe", pipe(lives));
        uint64_t before = shared->forked;
        pid_t leader = start_child([]() -> int {
            setpgid(0, 0);
            fork_for_ever();
        });
        close(lives[1]);
        while (shared->forked < before + 20) sched_yield();
        kill(-leader, SIGKILL);
        wait_status(leader);
        // Each member had the writing end: the end of file is the death of the last one.
        bool all_dead = false;
        watch("forks", "a child was born to a group that a signal had just been sent to?", 1,
              [&] {
                  fcntl(lives[0], F_SETFL, O_NONBLOCK);
                  char byte;
                  return all_dead = read(lives[0], &byte, 1) == 0;
              },
              [] { return uint64_t{0}; });
        kill(-leader, SIGKILL);
        close(lives[0]);
        if (!all_dead) return;
    }
}

}  // namespace

int main() {
    need_handlers();
    seed = host_number("crowd_seed", 1);
    turns = host_number("crowd_turns", 400);
    signals = host_number("crowd_signals", 200);
    shared = shared_memory<Shared>();
    test_turns();
    test_senders();
    test_spinners();
    test_forks();
    return check_summary("crowd");
}
