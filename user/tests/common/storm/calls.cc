// Rounds about calls that signals interrupt, timers, and children.
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <algorithm>

#include "user/tests/common/storm/storm.h"
#include "user/tests/lib/futex.h"

void check_interrupted(const char* call, uint64_t before) {
    if (self.handled == before) violation(call, "EINTR, but no handler ran");
}

void check_interrupted_restartable(const char* call, uint64_t before) {
    check_interrupted(call, before);
    if (self.restart) violation(call, "EINTR in spite of SA_RESTART");
}

// ---- Timers ----

namespace {

void arm(uint64_t value_us, uint64_t interval_us) {
    auto to_time = [](uint64_t us) {
        return timeval{static_cast<time_t>(us / 1000000), static_cast<suseconds_t>(us % 1000000)};
    };
    itimerval timer = {to_time(interval_us), to_time(value_us)};
    check_that(setitimer(ITIMER_REAL, &timer, nullptr) == 0, "setitimer");
}

void wait_for_alarm(uint64_t armed_ns, uint64_t value_ns, const char* what) {
    self.stamp_ns = 0;
    wait_for_signal(SIGALRM, self.counts[SIGALRM], what);
    uint64_t came = self.stamp_ns != 0 ? self.stamp_ns : now_ns();
    if (came < armed_ns + value_ns)
        violation("timer_early", "%lu ns too early", armed_ns + value_ns - came);
}

// No timer is armed; what it left is taken.
void expect_silence() {
    const timespec none = {}, some = {0, 3'000'000};
    while (wait_signal(bit_of(SIGALRM), nullptr, &none) > 0 || errno == EINTR) {}
    int taken = wait_signal(bit_of(SIGALRM), nullptr, &some);
    if (taken == SIGALRM) violation("timer_cancelled", "it came all the same");
}

}  // namespace

void timer_round() {
    uint64_t value_us = 100 + self.random.below(4000);
    uint64_t armed = now_ns();
    if (self.random.below(64) == 0) {
        alarm(1);
        wait_for_alarm(armed, kSecond, "timers: alarm(1)");
        return;
    }
    bool again = self.random.below(2) == 0;
    if (again) arm(60'000'000, 0);  // what is armed anew does not come at its old time
    arm(value_us, 0);
    wait_for_alarm(armed, value_us * 1000, "timers: one expiry");
    expect_silence();

    uint64_t interval_us = 500 + self.random.below(2000);
    armed = now_ns();
    arm(value_us, interval_us);
    uint64_t times = 1 + self.random.below(4);
    for (uint64_t i = 0; i < times; i++)
        wait_for_alarm(armed, (value_us + i * interval_us) * 1000, "timers: an interval");
    arm(0, 0);
    expect_silence();

    arm(1'000'000, 0);
    itimerval left, zero = {};
    check_that(setitimer(ITIMER_REAL, &zero, &left) == 0, "setitimer_off");
    uint64_t left_us = static_cast<uint64_t>(left.it_value.tv_sec * 1000000 + left.it_value.tv_usec);
    if (left_us > 1'000'000) violation("timer_left", "%lu us", left_us);
}

void sleep_round() {
    uint64_t wanted_ns = 100'000 + self.random.below(3'000'000);
    timespec left = {0, static_cast<long>(wanted_ns)};
    uint64_t start = now_ns();
    note("sleep: a few milliseconds");
    for (;;) {
        uint64_t handled = self.handled, from = now_ns();
        auto asked = static_cast<uint64_t>(left.tv_nsec);
        timespec request = left;
        // The call itself: no library between it and us.
        if (syscall(SYS_nanosleep, &request, &left) == 0) break;
        if (errno != EINTR) return violation("nanosleep", "errno %d", errno);
        check_interrupted("nanosleep", handled);
        auto rest = static_cast<uint64_t>(left.tv_nsec);
        // Linux rounds by its timer slack of 50 us.
        if (left.tv_sec != 0 || rest > asked + 60'000 || rest + (now_ns() - from) < asked)
            return violation("sleep_rest", "%lu of %lu ns left", rest, asked);
        if (rest == 0) break;
    }
    if (now_ns() - start < wanted_ns)
        violation("sleep_short", "%lu of %lu ns", now_ns() - start, wanted_ns);
}

// ---- Pipes ----

namespace {

unsigned char stream_byte(uint64_t seed, uint64_t at) {
    return static_cast<unsigned char>((seed + at) * 0x9e3779b97f4a7c15 >> 56);
}

// Both ends, each with its partner to disturb.
void send_stream(int fd, uint64_t seed, uint64_t total, pid_t partner) {
    static char piece[70000];
    for (uint64_t at = 0; at < total;) {
        uint64_t size = std::min<uint64_t>(total - at, 1 + self.random.below(sizeof piece));
        for (uint64_t i = 0; i < size; i++) piece[i] = static_cast<char>(stream_byte(seed, at + i));
        for (uint64_t done = 0; done < size;) {
            note("pipe: room");
            if (self.random.below(3) == 0) kill(partner, kNoise);
            uint64_t handled = self.handled;
            ssize_t put = write(fd, piece + done, size - done);
            if (put == -1 && errno == EINTR) {
                check_interrupted_restartable("write", handled);
                continue;
            }
            if (put <= 0) return violation("write", "%zd, errno %d", put, errno);
            done += static_cast<uint64_t>(put);  // short also when another thread took it
        }
        at += size;
    }
}

void receive_stream(int fd, uint64_t seed, uint64_t total, pid_t partner) {
    static char piece[50000];
    uint64_t at = 0;
    for (;;) {
        note("pipe: data");
        if (self.random.below(3) == 0) kill(partner, kNoise);
        uint64_t handled = self.handled;
        ssize_t got = read(fd, piece, 1 + self.random.below(sizeof piece));
        if (got == -1 && errno == EINTR) {
            check_interrupted_restartable("read", handled);
            continue;
        }
        if (got < 0) return violation("read", "errno %d", errno);
        if (got == 0) break;
        for (ssize_t i = 0; i < got; i++, at++) {
            if (piece[i] != static_cast<char>(stream_byte(seed, at)))
                return violation("pipe_bytes", "wrong from byte %lu on", at);
        }
    }
    if (at != total) violation("pipe_length", "%lu of %lu", at, total);
}

}  // namespace

void pipe_round() {
    int ends[2];
    if (!check_that(pipe(ends) == 0, "pipe")) return;
    uint64_t seed = self.random.next(), total = 1 + self.random.below(300'000);
    bool writes = self.random.below(2) == 0;
    pid_t parent = getpid();
    exact_mask(kBase & ~bit_of(kNoise));
    auto work = [&](bool writing, pid_t partner) {
        close(ends[writing ? 0 : 1]);
        int fd = ends[writing ? 1 : 0];
        if (writing) send_stream(fd, seed, total, partner);
        else receive_stream(fd, seed, total, partner);
        close(fd);
    };
    pid_t child = spawn([&] { return work(!writes, parent), 13; });
    work(writes, child);
    check_that(reap(child, "pipe: the child's end") == 13 << 8, "pipe_status");
    exact_mask(kBase);
}

// A child that sends signals until the reader says that it has seen one, then a byte. Without
// SA_RESTART the read ends with EINTR, else it goes on until there is the byte.
void interrupt_round() {
    auto& scratch = shared->scratch[self.worker];
    int ends[2];
    if (!check_that(pipe(ends) == 0, "pipe")) return;
    pid_t parent = getpid();
    scratch.word = 0;
    exact_mask(kBase & ~bit_of(kNoise));
    uint64_t noises = self.counts[kNoise];
    pid_t child = spawn([&] {
        uint64_t least = 2;
        for (; scratch.word == 0 || least > 0; least -= least > 0) {
            kill(parent, kNoise);
            const timespec moment = {0, 200'000};
            nanosleep(&moment, nullptr);
            if (self.restart && least == 0) break;
        }
        return write(ends[1], "x", 1) == 1 ? 15 : 1;
    });
    bool interrupted = false;
    char byte = 0;
    for (;;) {
        note(self.restart ? "interrupts: the byte after signals" : "interrupts: EINTR");
        uint64_t handled = self.handled;
        ssize_t got = read(ends[0], &byte, 1);
        if (got == 1 && byte == 'x') break;
        if (got != -1 || errno != EINTR) violation("interrupted_read", "%zd, %d", got, errno);
        check_interrupted_restartable("interrupted_read", handled);
        interrupted = true;
        scratch.word = 1;
    }
    if (interrupted == self.restart) violation("interrupts", "EINTR and SA_RESTART do not agree");
    check_that(reap(child, "interrupts: the child's end") == 15 << 8, "interrupts_status");
    if (self.counts[kNoise] == noises) violation("interrupts_none", "no handler ran");
    exact_mask(kBase);
    close(ends[0]);
    close(ends[1]);
}

// ---- Futexes ----

void futex_round() {
    auto& scratch = shared->scratch[self.worker];
    scratch.word = 0;
    bool limited = self.random.below(2) == 0;
    pid_t child = spawn([&] {
        for (uint64_t spins = self.random.below(20000); spins > 0; spins--)
            asm volatile("pause");
        scratch.word = 1;
        futex_wake(&scratch.word, 1);
        return 14;
    });
    note("futex: the child's wake-up");
    while (scratch.word == 0) {
        const timespec long_time = {1000, 0};
        uint64_t handled = self.handled;
        if (futex_wait(&scratch.word, 0, limited ? &long_time : nullptr) == 0) continue;
        if (errno == EAGAIN) continue;
        if (errno != EINTR) violation("futex", "errno %d", errno);
        if (limited) check_interrupted("futex_with_limit", handled);
        else check_interrupted_restartable("futex", handled);
    }
    check_that(reap(child, "futex: the child's end") == 14 << 8, "futex_status");
    const timespec limit = {0, 1'000'000};
    uint64_t from = now_ns(), handled = self.handled;
    if (futex_wait(&scratch.word, 1, &limit) != -1 || (errno != ETIMEDOUT && errno != EINTR))
        return violation("futex_limit", "errno %d", errno);
    if (errno == EINTR) return check_interrupted("futex_limit", handled);
    if (now_ns() - from < 1'000'000) violation("futex_early", "%lu ns", now_ns() - from);
}

// ---- Children ----

int reap(pid_t child, const char* what) {
    note(what);
    for (;;) {
        int status;
        uint64_t handled = self.handled;
        pid_t ended = waitpid(child, &status, 0);
        if (ended == child) return status;
        if (errno != EINTR) return violation("waitpid", "errno %d", errno), -1;
        check_interrupted_restartable("waitpid", handled);
    }
}

namespace {

// How a child spends its time until it is killed.
int be_busy(uint64_t how) {
    int ends[2];
    uint32_t word = 0;
    switch (how) {
        case 0: return 21;
        case 1:
            for (;;) {
                const timespec hour = {3600, 0};
                nanosleep(&hour, nullptr);
            }
        case 2:
            for (;;) asm volatile("pause");
        case 3: {
            char byte;
            if (pipe(ends) != 0) return 1;
            for (;;) (void)!read(ends[0], &byte, 1);
        }
        case 4:
            for (Mask all = kAll;;) syscall(SYS_rt_sigsuspend, &all, sizeof all);
        case 5:
            for (;;) futex_wait(&word, 0, nullptr);
        case 6:
            for (;;) kill(getpid(), SIGSTOP);
        case 7:
            for (;;) poll(nullptr, 0, -1);
        case 8:
            for (;;) send_to_self(kOuter);
        case 9:
            for (;;) reap(spawn([] { return 0; }), "children: a grandchild");
        default: {
            static char bytes[100'000];
            if (pipe(ends) != 0) return 1;
            for (;;) (void)!write(ends[1], bytes, sizeof bytes);
        }
    }
}

struct Victim {
    pid_t pid;
    int expected;  // status
    bool reaped;
};

// Reaps one of the children of the worker, which `options` say how. False: none has ended.
bool reap_any(Victim* victims, uint64_t count, int options) {
    int status;
    uint64_t handled = self.handled;
    pid_t pid = waitpid(-1, &status, options);
    if (pid == 0) return false;
    if (pid < 0) {
        if (errno == EINTR) check_interrupted_restartable("wait", handled);
        else violation("wait", "errno %d", errno);
        return false;
    }
    for (uint64_t i = 0; i < count; i++) {
        if (victims[i].pid != pid) continue;
        if (victims[i].reaped) violation("reaped_twice", "pid %d", pid);
        victims[i].reaped = true;
        if (status != victims[i].expected)
            violation("status", "%#x instead of %#x", status, victims[i].expected);
        return true;
    }
    violation("strange_child", "pid %d", pid);
    return false;
}

}  // namespace

void child_round() {
    Victim victims[4];
    uint64_t count = 1 + self.random.below(4);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t how = self.random.below(11);
        victims[i] = {spawn([&] { return be_busy(how); }), how == 0 ? 21 << 8 : SIGKILL, false};
    }
    for (uint64_t spins = self.random.below(30000); spins > 0; spins--) asm volatile("pause");
    for (uint64_t i = 0; i < count; i++)
        if (victims[i].expected == SIGKILL) check_that(kill(victims[i].pid, SIGKILL) == 0, "kill");
    // Either wait4 sleeps itself, or SIGCHLD says when there is something to reap.
    bool told = self.random.below(2) == 0;
    for (uint64_t reaped = 0; reaped < count && shared->violations == 0;) {
        note("children: an end");
        uint64_t seen = self.counts[SIGCHLD];
        if (reap_any(victims, count, told ? WNOHANG : 0)) reaped++;
        else if (told) wait_for_signal(SIGCHLD, seen, "children: SIGCHLD of the last");
    }
    if (shared->violations > 0) return;
    if (waitpid(-1, nullptr, 0) != -1 || errno != ECHILD)
        violation("no_more_children", "errno %d", errno);
}

void stop_round() {
    auto& scratch = shared->scratch[self.worker];
    scratch.steps = 0;
    bool handles = self.random.below(2) == 0;
    pid_t child = spawn([&]() -> int {
        for (;;) {
            ++scratch.steps;
            if (handles) send_to_self(kPing);  // blocked: stays pending
        }
    });
    note("stops: the child's first step");
    while (scratch.steps == 0) sched_yield();
    auto expect = [&](bool (*right)(int), const char* name) {
        int status;
        uint64_t handled;
        do {
            note(name);
            handled = self.handled;
            pid_t pid = waitpid(child, &status, WUNTRACED | WCONTINUED);
            if (pid == child) {
                if (!right(status)) violation(name, "status %#x", status);
                return;
            }
        } while (errno == EINTR && (check_interrupted_restartable(name, handled), true));
        violation(name, "errno %d", errno);
    };
    for (uint64_t turns = 1 + self.random.below(3); turns > 0; turns--) {
        bool terminal = self.random.below(2) == 0;
        kill(child, terminal ? SIGTSTP : SIGSTOP);
        expect(terminal ? [](int s) { return WIFSTOPPED(s) && WSTOPSIG(s) == SIGTSTP; }
                        : [](int s) { return WIFSTOPPED(s) && WSTOPSIG(s) == SIGSTOP; },
               "stops: the stop");
        uint64_t steps = scratch.steps;
        for (uint64_t spins = self.random.below(5000); spins > 0; spins--)
            asm volatile("pause");
        if (scratch.steps != steps) violation("runs_while_stopped", "%lu", scratch.steps - steps);
        if (turns == 1 && self.random.below(2) == 0) break;  // killed where it is
        kill(child, SIGCONT);
        expect([](int s) { return bool(WIFCONTINUED(s)); }, "stops: the continuation");
        note("stops: steps after it");
        while (scratch.steps == steps) sched_yield();
    }
    kill(child, SIGKILL);
    check_that(reap(child, "stops: the end") == SIGKILL, "stop_status");
}
