// System calls that a signal interrupts: which go on by themselves, which say EINTR, and that
// no byte is lost or doubled on the way.
//
// A child sends SIGUSR1 for as long as the test runs, each time when the handler of the last
// one has run; nobody waits for a time to pass. Where a call must not end by a signal, what
// it waits for comes when the handler has run `kEnough` times during the call.
//
// Reported: `restart_read`, of the data that restarted reads returned; `restart_written`, of
// what a reader got from writes that signals cut short.
// Host data: `restart_seed`, `restart_size`.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include <atomic>

#include "user/tests/6-signals/handlers.h"
#include "user/tests/lib/check.h"
#include "user/tests/lib/child.h"
#include "user/tests/lib/futex.h"
#include "user/tests/lib/report.h"
#include "user/tests/lib/shared_memory.h"

namespace {

constexpr uint64_t kEnough = 5;

struct Shared : Sending {
    std::atomic<uint64_t> calls{0};  // that wait; the helper acts in each
    uint32_t word = 0;
};
Shared* shared;

void catch_signal(int flags) {
    struct sigaction action {};
    action.sa_flags = flags;
    action.sa_handler = [](int) { shared->handled++; };
    sigaction(SIGUSR1, &action, nullptr);
}

// A child that does `act` when `kEnough` signals have come since now.
template <typename Act>
pid_t help_later(Act&& act) {
    uint64_t goal = shared->handled + kEnough;
    return start_child([&] {
        while (shared->handled < goal) sched_yield();
        return act();
    });
}

// ---- calls that restart ----

void test_reads(uint64_t seed) {
    int ends[2];
    check_works("restart.pipe", pipe(ends));
    Sequence sequence(seed);
    uint64_t hash = kHashStart;
    for (int round = 0; round < 10; round++) {
        char sent[200], got[200] = {};
        sequence.fill(sent, sizeof sent);
        pid_t helper = help_later([&] { return write(ends[1], sent, 200) == 200 ? 0 : 1; });
        check_equal("restart.read", 200, read(ends[0], got, sizeof got));
        hash = hash_bytes(got, sizeof got, hash);
        check_exited("restart.wait", 0, wait_status(helper));
    }
    report("restart_read", "%#lx", hash);
    close(ends[0]);
    close(ends[1]);
}

void test_other_restarts() {
    pid_t child = help_later([] { return 23; });
    int status = 0;
    check_equal("restart.waitpid", child, waitpid(child, &status, 0));
    check_exited("restart.waitpid", 23, status);
    child = help_later([] { return futex_wake(&shared->word, 1) >= 0 ? 0 : 1; });
    // A wake-up that comes while a handler runs finds nobody: the end of the child is enough.
    while (waitpid(child, &status, WNOHANG) == 0) {
        timespec some = {0, 20'000'000};
        long result = futex_wait(&shared->word, 0, &some);
        int error = errno;
        check("restart.futex", result == 0 || error == ETIMEDOUT || error == EINTR);
    }
    check_exited("restart.futex_helper", 0, status);
    int ends[2];
    check_works("restart.pipe", pipe(ends));
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    static char bytes[4096];
    while (write(ends[1], bytes, sizeof bytes) > 0) {}
    fcntl(ends[1], F_SETFL, 0);
    child = help_later([&] {
        long got = 0;
        close(ends[1]);
        for (ssize_t n; (n = read(ends[0], bytes, sizeof bytes)) > 0;) got += n;
        return got > 4096 ? 0 : 1;
    });
    close(ends[0]);
    check_equal("restart.write", 100, write(ends[1], bytes, 100));
    close(ends[1]);
    check_exited("restart.write_arrived", 0, wait_status(child));
}

// ---- calls that do not ----

void test_interrupted(const char* name) {
    int ends[2];
    char byte;
    check_works("eintr.pipe", pipe(ends));
    check_fails(name, EINTR, read(ends[0], &byte, 1));
    close(ends[0]);
    close(ends[1]);
}

void test_never_restarted() {
    check_fails("eintr.pause", EINTR, pause());
    check_fails("eintr.poll", EINTR, poll(nullptr, 0, 30'000));
    timespec wanted = {30, 0}, left = {0, 0};
    check_fails("eintr.nanosleep", EINTR, nanosleep(&wanted, &left));
    check("eintr.nanosleep_rest", left.tv_sec >= 1 && left.tv_sec < 30);
    wanted = {0, 30'000'000};
    timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    while (nanosleep(&wanted, &wanted) != 0) {}  // EINTR brings the rest each time
    clock_gettime(CLOCK_MONOTONIC, &to);
    long us = (to.tv_sec - from.tv_sec) * 1'000'000 + (to.tv_nsec - from.tv_nsec) / 1000;
    check("eintr.rests_add_up", us >= 29'000);
}

// ---- transfers that signals cut short ----

void test_partial(uint64_t seed, size_t size) {
    int ends[2], answer[2];
    check_works("partial.pipe", pipe(ends));
    check_works("partial.pipe", pipe(answer));
    auto* data = static_cast<char*>(malloc(size));
    Sequence(seed + 1).fill(data, size);
    pid_t reader = start_child([&] {
        signal(SIGUSR1, SIG_IGN);
        close(ends[1]);
        static char piece[5000];
        uint64_t hash = kHashStart;
        for (ssize_t got; (got = read(ends[0], piece, sizeof piece)) > 0; sched_yield())
            hash = hash_bytes(piece, static_cast<size_t>(got), hash);
        return write(answer[1], &hash, sizeof hash) == sizeof hash ? 0 : 1;
    });
    close(ends[0]);
    size_t done = 0;
    while (done < size) {
        ssize_t put = write(ends[1], data + done, size - done);
        if (put > 0) {
            done += static_cast<size_t>(put);
        } else if (errno != EINTR) {
            check_failed("partial.write", Where::current(), "got %s", error_name(errno));
            break;
        }
    }
    close(ends[1]);
    uint64_t hash = 0;
    while (read(answer[0], &hash, sizeof hash) != sizeof hash && errno == EINTR) {}
    check_exited("partial.reader", 0, wait_status(reader));
    report("restart_written", "%#lx", hash);
    free(data);
}

}  // namespace

int main() {
    need_handlers();
    uint64_t seed = host_number("restart_seed", 1);
    shared = shared_memory<Shared>();
    catch_signal(SA_RESTART);
    pid_t parent = getpid();
    pid_t sender = start_child([&] { return send_signals(parent, *shared); });
    test_reads(seed);
    test_other_restarts();
    test_never_restarted();  // whatever SA_RESTART says
    catch_signal(0);
    test_interrupted("eintr.read");
    test_never_restarted();
    test_partial(seed, host_number("restart_size", 500'000));
    shared->stop = true;
    check_exited("restart.sender", 0, wait_status(sender));
    return check_summary("restart");
}
