// The parent: starts the workers, stops and continues them, watches them, sums up.
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "user/tests/common/storm/storm.h"
#include "user/tests/lib/child.h"
#include "user/tests/lib/shared_memory.h"

Shared* shared;
constinit thread_local Self self = {};

namespace {

constexpr struct {
    const char* name;
    void (*run)();
    bool any_thread;  // else the first of a process: it uses what a process has once
    bool alone;       // the process has no other threads
} kRounds[kKinds] = {
    {"floods", flood_round, false, false},
    {"own", own_round, true, false},        {"masks", mask_round, true, false},
    {"turns", turn_round, false, false},    {"crews", crew_round, false, true},
    {"nests", nest_round, true, false},     {"registers", register_round, true, false},
    {"timers", timer_round, false, false},  {"sleeps", sleep_round, true, false},
    {"pipes", pipe_round, false, false},    {"interrupts", interrupt_round, false, false},
    {"futexes", futex_round, false, false}, {"children", child_round, false, false},
    {"stops", stop_round, false, false},
};

constexpr unsigned kAllThreads = kWorkers + kWorkers / 4 * (kThreads - 1);

uint64_t seed;
pid_t children[kWorkers];
bool ended[kWorkers];

bool has_threads(unsigned worker) { return worker % 4 == 1; }

}  // namespace

uint64_t now_ns() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * kSecond + static_cast<uint64_t>(now.tv_nsec);
}

void violation(const char* name, const char* format, ...) {
    if (shared->violations > 20) return;  // the first ones tell
    char text[200];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    char where[60] = "the parent";
    if (self.worker != kWorkers)
        snprintf(where, sizeof where, "worker %u thread %u%s", self.worker, self.thread,
                 self.child ? ", its child" : "");
    dprintf(1, "storm: FAIL %s: %s (%s)\n", name, text, where);
    ++shared->violations;  // after it is said: the parent kills us for it
}

void note(const char* waits_for) {
    if (self.child) return;
    auto& slot = shared->slots[self.worker][self.thread];
    slot.since_ns.store(now_ns(), std::memory_order_relaxed);
    slot.waits.store(waits_for, std::memory_order_release);  // the parent looks at it first
}

pid_t spawn_begin(Mask& old) {
    old = set_mask(SIG_SETMASK, kAll);
    pid_t pid = fork();
    if (pid < 0) violation("fork", "errno %d", errno);
    if (pid != 0) return pid;
    self.child = true;
    self.random = Sequence(self.random.next());
    set_mask(SIG_SETMASK, old);
    return 0;
}

void spawn_end(Mask old) { set_mask(SIG_SETMASK, old); }

namespace {

// ---- A worker ----

void work(unsigned thread) {
    self.thread = thread;
    self.random = Sequence(seed * 1000 + self.worker * 10 + thread);
    stack_t stack = {self.stack, 0, sizeof self.stack};
    sigaltstack(&stack, nullptr);
    shared->slots[self.worker][thread].tid = static_cast<pid_t>(syscall(SYS_gettid));
    exact_mask(kBase);
    ++shared->quiet;
    note("the start");
    while (shared->quiet < kAllThreads && going_on()) sched_yield();
    while (going_on()) {
        unsigned kind = static_cast<unsigned>(self.random.below(kKinds));
        if (thread != 0 && !kRounds[kind].any_thread) continue;
        if (kRounds[kind].alone && has_threads(self.worker)) continue;
        kRounds[kind].run();
        ++shared->rounds[kind];
        send_some();
    }
    // Signals to us are still on their way.
    --shared->quiet;
    while (!shared->finish) {
        note("the end");
        const timespec moment = {0, 1'000'000};
        nanosleep(&moment, nullptr);
    }
}

void* work_beside(void* argument) {
    unsigned packed = *static_cast<unsigned*>(argument);
    self.worker = packed / kThreads;
    self.restart = self.worker % 2 == 0;
    work(packed % kThreads);
    return nullptr;
}

int worker(unsigned number) {
    self.worker = number;
    self.restart = number % 2 == 0;
    install_handlers();
    while (shared->pids[kWorkers - 1] == 0) sched_yield();
    pthread_t threads[kThreads];
    unsigned numbers[kThreads], count = has_threads(number) ? kThreads : 1;
    for (unsigned i = 1; i < count; i++) {
        numbers[i] = number * kThreads + i;
        if (pthread_create(&threads[i], nullptr, work_beside, &numbers[i]) != 0) _exit(3);
    }
    work(0);
    for (unsigned i = 1; i < count; i++) pthread_join(threads[i], nullptr);
    return static_cast<int>(40 + number);
}

// ---- The parent ----

void nap() {
    const timespec moment = {0, 2'000'000};
    nanosleep(&moment, nullptr);
}

// Every process of the group, workers' children included.
[[noreturn]] void give_up() {
    kill(-shared->group, SIGCONT);
    kill(-shared->group, SIGKILL);
    for (unsigned i = 0; i < kWorkers; i++)
        if (!ended[i]) wait_status(children[i]);
    printf("storm: FAILED with %u violations, seed %lu\n", shared->violations.load(), seed);
    exit(1);
}

void start_workers() {
    Mask old = set_mask(SIG_SETMASK, kAll);  // who is early must not die of a signal
    for (unsigned i = 0; i < kWorkers; i++) {
        children[i] = start_child([&] { return worker(i); });
        if (children[i] < 0) {
            violation("start", "errno %d", errno);
            if (i > 0) give_up();
            exit(1);
        }
        if (i == 0) shared->group = children[0];
        setpgid(children[i], shared->group);
    }
    for (unsigned i = 0; i < kWorkers; i++) shared->pids[i] = children[i];
    set_mask(SIG_SETMASK, old);
}

// Says what everybody waits for when somebody has done so for too long. Not while one is
// stopped: what others wait for may be it.
void check_progress() {
    uint64_t now = now_ns();
    bool hangs = false;
    for (auto& slots : shared->slots) {
        for (auto& slot : slots) {
            const char* what = slot.waits;
            if (what == nullptr || now < slot.since_ns + kHangSeconds * kSecond) continue;
            unsigned index = static_cast<unsigned>(&slot - &shared->slots[0][0]);
            violation("hang", "worker %u thread %u has waited for %lu s: %s", index / kThreads,
                      index % kThreads, (now - slot.since_ns) / kSecond, what);
            hangs = true;
        }
    }
    for (unsigned from = 0; from < kWorkers; from++) {
        for (unsigned to = 0; to < kWorkers; to++) {
            auto& channel = shared->owned[from][to];
            if (channel.handled == channel.sent ||
                now < channel.sent_ns + kHangSeconds * kSecond) {
                continue;
            }
            violation("lost", "signal %u that worker %u sent to worker %u", kFirstOwned + from,
                      from, to);
            hangs = true;
        }
    }
    if (hangs) give_up();
}

// Stops a worker, sees it stopped, continues it, sees it continued: a step at each call.
class Stopper {
  public:
    explicit Stopper(uint64_t from) : random_(from) {}
    bool idle() const { return state_ == State::Idle; }
    uint64_t stops() const { return stops_; }
    void begin() {
        shared->victim = static_cast<unsigned>(random_.below(kWorkers));
        victim_ = static_cast<unsigned>(random_.below(kWorkers));
        kill(children[victim_], SIGSTOP);
        state_ = State::Stopping;
        since_ns_ = now_ns();
    }
    void step() {
        if (idle()) return;
        if (now_ns() > since_ns_ + kHangSeconds * kSecond) {
            violation("stop", "worker %u is not seen to %s", victim_,
                      state_ == State::Stopping ? "stop" : "continue");
            give_up();
        }
        int status;
        pid_t pid = waitpid(children[victim_], &status, WNOHANG | WUNTRACED | WCONTINUED);
        if (pid == 0) return;
        bool stopping = state_ == State::Stopping;
        bool right = stopping ? WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP
                              : WIFCONTINUED(status);
        if (pid != children[victim_] || !right)
            violation("stop_order", "worker %u: status %#x", victim_, status);
        if (stopping) kill(children[victim_], SIGCONT);
        else stops_++;
        state_ = stopping ? State::Continuing : State::Idle;
        since_ns_ = now_ns();
    }

  private:
    enum class State { Idle, Stopping, Continuing } state_ = State::Idle;
    unsigned victim_ = 0;
    uint64_t since_ns_ = 0, stops_ = 0;
    Sequence random_;
};

struct Sums {
    uint64_t owned = 0, sent = 0, handled = 0, rounds = 0;
};
Sums sums() {
    Sums sum;
    for (auto& channels : shared->owned)
        for (auto& channel : channels) sum.owned += channel.handled;
    for (auto& opens : shared->open) {
        for (auto& open : opens) {
            sum.sent += open.sent;
            sum.handled += open.handled;
        }
    }
    for (auto& rounds : shared->rounds) sum.rounds += rounds;
    return sum;
}

bool all_arrived() {
    for (auto& channels : shared->owned)
        for (auto& channel : channels)
            if (channel.handled != channel.sent) return false;
    for (auto& opens : shared->open)
        for (auto& open : opens)
            if (open.last_handled < open.last_sent) return false;
    return true;
}

void end_workers() {
    // All that was sent has arrived, and nothing more comes.
    uint64_t from = now_ns();
    while (!all_arrived() && now_ns() < from + kHangSeconds * kSecond) nap();
    if (!all_arrived()) violation("lost_at_end", "a signal was not handled after it was sent");
    shared->finish = true;
    for (unsigned i = 0; i < kWorkers; i++) {
        int status = wait_status(children[i]);
        ended[i] = true;
        if (status != static_cast<int>(40 + i) << 8)
            violation("worker_status", "worker %u: %#x", i, status);
    }
    if (waitpid(-1, nullptr, WNOHANG) != -1 || errno != ECHILD)
        violation("parent_children", "there is one left");
}

// Did a worker end before its time?
void check_alive() {
    for (unsigned i = 0; i < kWorkers; i++) {
        int status;
        if (waitpid(children[i], &status, WNOHANG) != children[i]) continue;
        ended[i] = true;
        violation("worker_died", "worker %u: status %#x", i, status);
        give_up();
    }
}

void run(uint64_t seconds) {
    Stopper stopper(seed);
    start_workers();
    uint64_t start = now_ns(), next_line = 5 * kSecond;
    bool stopping_time = false;
    while (!stopping_time || shared->quiet > 0 || !stopper.idle()) {
        nap();
        uint64_t passed = now_ns() - start;
        if (shared->violations > 0) give_up();
        stopper.step();
        if (stopper.idle()) check_alive();
        check_progress();
        if (!stopping_time && shared->quiet == kAllThreads && passed > seconds * kSecond)
            shared->stop = stopping_time = true;
        if (!stopping_time && stopper.idle()) stopper.begin();
        if (passed > next_line && seconds > 5) {
            Sums sum = sums();
            dprintf(2, "storm: %lu s, %lu rounds, %lu signals handled\n", passed / kSecond,
                    sum.rounds, sum.owned + sum.handled);
            next_line += 5 * kSecond;
        }
    }
    end_workers();
    if (shared->violations > 0) give_up();
    Sums sum = sums();
    printf("storm: seed %lu, %lu s: %lu signals one by one, %lu of %lu at will, %lu stops", seed,
           seconds, sum.owned, sum.handled, sum.sent, stopper.stops());
    for (unsigned i = 0; i < kKinds; i++) {
        printf(", %lu %s", shared->rounds[i].load(), kRounds[i].name);
        if (shared->rounds[i] == 0 && seconds >= 5) violation("kind", "no %s", kRounds[i].name);
    }
    printf("; %u violations\n", shared->violations.load());
}

}  // namespace

int main(int argc, char** argv) {
    uint64_t seconds = argc > 1 ? strtoull(argv[1], nullptr, 0) : 10;
    seed = argc > 2 ? strtoull(argv[2], nullptr, 0) : 1;
    setvbuf(stdout, nullptr, _IOLBF, 0);
    shared = shared_memory<Shared>();
    self.worker = kWorkers;  // none of them
    run(seconds);
    return shared->violations == 0 ? 0 : 1;
}
