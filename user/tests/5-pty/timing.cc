// MIN and TIME of raw mode (POSIX XBD 11.1.7), the four cases, by the clock. For icount, where
// the clock is exact and a loaded host does not matter.
#include "user/tests/5-pty/pty.h"

namespace {

constexpr uint64_t kDecisecond = 100'000;  // us

struct Timed {
    ssize_t got;
    uint64_t took;  // us
};

Timed timed_read(int fd, size_t size) {
    char bytes[100];
    uint64_t start = now_us();
    ssize_t got = read(fd, bytes, size);
    return {got, now_us() - start};
}

// A child that types "a", "b", ... `gap` ms apart, the first after `gap` ms.
pid_t start_typist(const Pair& pair, unsigned count, unsigned gap) {
    return start_child([&] {
        for (unsigned i = 0; i < count; i++) {
            sleep_ms(gap);
            char c = static_cast<char>('a' + i);
            if (!put_all(pair.master, &c, 1)) return 1;
        }
        return 0;
    });
}

bool about(uint64_t us, uint64_t expected) {
    return us + 2'000 >= expected && us < expected + 20'000;
}

}  // namespace

int main() {
    check_group("timing");
    Pair pair;
    if (!pair.works()) return check_summary("timing");

    make_raw(pair.slave, 0, 0);
    Timed result = timed_read(pair.slave, 10);
    check_equal("neither_returns_nothing", 0, result.got);
    check("neither_returns_at_once", result.took < 10'000);

    make_raw(pair.slave, 3, 0);
    pid_t typist = start_typist(pair, 4, 20);
    result = timed_read(pair.slave, 10);
    check_equal("min_gets_so_many", 3, result.got);
    check("min_waits_for_them", about(result.took, 60'000));
    wait_status(typist);
    check_equal("min_is_no_more_than_asked_for", 1, timed_read(pair.slave, 1).got);

    make_raw(pair.slave, 0, 2);
    result = timed_read(pair.slave, 10);
    check_equal("time_returns_nothing", 0, result.got);
    check("time_waits_so_long", about(result.took, 2 * kDecisecond));
    typist = start_typist(pair, 1, 50);
    result = timed_read(pair.slave, 10);
    check_equal("time_gets_the_first_byte", 1, result.got);
    check("time_returns_with_it", about(result.took, 50'000));
    wait_status(typist);

    make_raw(pair.slave, 5, 1);
    typist = start_typist(pair, 2, 60);
    result = timed_read(pair.slave, 10);
    check_equal("both_get_what_came", 2, result.got);
    check("both_wait_from_the_last_byte", about(result.took, 120'000 + kDecisecond));
    wait_status(typist);
    make_raw(pair.slave, 2, 1);
    typist = start_typist(pair, 2, 150);
    result = timed_read(pair.slave, 10);
    check_equal("both_do_not_count_before_the_first", 1, result.got);
    check("both_wait_for_the_first", about(result.took, 150'000 + kDecisecond));
    wait_status(typist);
    timed_read(pair.slave, 10);

    // Not enough for MIN, but the read would take no more.
    make_raw(pair.slave, 100, 0);
    typist = start_typist(pair, 4, 20);
    result = timed_read(pair.slave, 4);
    check_equal("min_above_the_request", 4, result.got);
    wait_status(typist);
    return check_summary("timing");
}
