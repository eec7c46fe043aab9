// futex(2): waiting on a word, within a process and through shared memory.
#include <atomic>

#include "user/tests/common/posix/posix.h"
#include "user/tests/lib/futex.h"

namespace {

struct Shared {
    std::atomic<uint32_t> word, other, started, woken;
};

void wait_until(const std::atomic<uint32_t>& value, uint32_t wanted) {
    for (int i = 0; i < 5000 && value != wanted; i++) sleep_ms(1);
}

// Children that sleep on the word; returns when all of them are about to.
void start_sleepers(Shared& shared, int count, pid_t* children) {
    shared.word = 0;
    shared.started = shared.woken = 0;
    for (int i = 0; i < count; i++) {
        children[i] = start_child([&] {
            shared.started++;
            long got = futex_wait(&shared.word, 0, nullptr);
            shared.woken++;
            return got == 0 ? 0 : 1;
        });
    }
    wait_until(shared.started, count);
    sleep_ms(30);
}

void test_values(Shared& shared) {
    timespec moment = {0, 20000000}, none = {0, 0}, wrong = {0, 1000000000};
    shared.word = 5;
    check_fails("other_value", EAGAIN, futex_wait(&shared.word, 4, nullptr));
    uint64_t start = now_ns();
    check_fails("times_out", ETIMEDOUT, futex_wait(&shared.word, 5, &moment));
    check("waited", now_ns() - start >= 19000000);
    check_fails("times_out_at_once", ETIMEDOUT, futex_wait(&shared.word, 5, &none));
    check_fails("private_times_out", ETIMEDOUT,
                futex_wait(&shared.word, 5, &moment, kFutexPrivate));
    check_fails("timeout_value", EINVAL, futex_wait(&shared.word, 5, &wrong));
    check_equal("wake_nobody", 0, futex_wake(&shared.word, 1));
    auto* odd = reinterpret_cast<char*>(&shared.word) + 1;
    check_fails("unaligned", EINVAL, futex_wait(odd, 0, nullptr));
    check_fails("unaligned_wake", EINVAL, futex_wake(odd, 1));
    check_fails("operation", ENOSYS,
                syscall(SYS_futex, &shared.word, 99, 0, nullptr, nullptr, 0));
    check_fails("no_bits", EINVAL,
                syscall(SYS_futex, &shared.word, kFutexWaitBitset, 5, nullptr, nullptr, 0));
    // FUTEX_WAIT_BITSET has an absolute time.
    uint64_t until = now_ns() + 20000000;
    timespec end = {static_cast<time_t>(until / 1000000000),
                    static_cast<long>(until % 1000000000)};
    check_fails("bitset_times_out", ETIMEDOUT,
                syscall(SYS_futex, &shared.word, kFutexWaitBitset, 5, &end, nullptr, ~0u));
    check("bitset_waited", now_ns() >= until);
}

void test_wake(Shared& shared) {
    pid_t children[5];
    start_sleepers(shared, 5, children);
    check_equal("wake_one", 1, futex_wake(&shared.word, 1));
    wait_until(shared.woken, 1);
    check_equal("one_woke", 1, shared.woken.load());
    check_equal("wake_two", 2, futex_wake(&shared.word, 2));
    check_equal("wake_rest", 2, futex_wake(&shared.word, 100));
    for (pid_t child : children) check_exited("sleeper", 0, wait_status(child));
    check_equal("none_left", 0, futex_wake(&shared.word, 100));
    start_sleepers(shared, 4, children);
    check_equal("requeue", 4,
                syscall(SYS_futex, &shared.word, kFutexRequeue, 1, 100, &shared.other, 0));
    wait_until(shared.woken, 1);
    check_equal("requeue_woke_one", 1, shared.woken.load());
    check_equal("nobody_at_the_old_word", 0, futex_wake(&shared.word, 100));
    check_equal("three_at_the_new_word", 3, futex_wake(&shared.other, 100));
    for (int i = 0; i < 4; i++) check_exited("requeued", 0, wait_status(children[i]));
    // A killed sleeper leaves no trace in the queue.
    start_sleepers(shared, 2, children);
    kill(children[0], SIGKILL);
    check_killed("killed_sleeper", SIGKILL, wait_status(children[0]));
    check_equal("wakes_the_living", 1, futex_wake(&shared.word, 1));
    check_exited("living", 0, wait_status(children[1]));
}

// The same page of a file at two addresses is the same futex.
void test_file_page() {
    int fd = make_file("futex", kPage);
    pwrite(fd, "\0\0\0\0", 4, 0);
    auto map = [fd] {
        return static_cast<uint32_t*>(
            mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    };
    uint32_t *here = map(), *there = map();
    pid_t child = start_child([&] { return static_cast<int>(futex_wait(here, 0, nullptr)); });
    long woken = 0;
    for (int i = 0; i < 2000 && woken == 0; i++) {
        sleep_ms(1);
        woken = futex_wake(there, 1);
    }
    check_equal("through_another_mapping", 1, woken);
    check_exited("file_sleeper", 0, wait_status(child));
    // Private memory of two processes at one address is not.
    static uint32_t own = 0;
    child = start_child([] {
        timespec moment = {0, 60000000};
        return futex_wait(&own, 0, &moment) == -1 && errno == ETIMEDOUT ? 0 : 1;
    });
    sleep_ms(20);
    check_equal("not_across_processes", 0, futex_wake(&own, 1));
    check_exited("not_woken", 0, wait_status(child));
    close(fd);
}

// Two processes take turns by futex a thousand times: a lost wake-up hangs.
void test_turns(Shared& shared) {
    shared.word = 0;
    auto take_turns = [&](uint32_t own) {
        for (int i = 0; i < 500; i++) {
            uint32_t seen;
            while ((seen = shared.word) % 2 != own) futex_wait(&shared.word, seen, nullptr);
            shared.word++;
            futex_wake(&shared.word, 1);
        }
        return 0;
    };
    pid_t child = start_child([&] { return take_turns(1); });
    take_turns(0);
    check_exited("turns", 0, wait_status(child));
    check_equal("turns_taken", 1000, shared.word.load());
}

}  // namespace

void test_futex() {
    auto* shared = static_cast<Shared*>(mmap(nullptr, kPage, PROT_READ | PROT_WRITE,
                                             MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    if (!check("memory", shared != MAP_FAILED)) return;
    test_values(*shared);
    test_wake(*shared);
    test_file_page();
    test_turns(*shared);
}
