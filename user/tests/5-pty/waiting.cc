// Who waits at a terminal, for what, and who must not.
//
//   block.*      reads wait for data, writes for room
//   nonblock.*   EAGAIN instead, also when only a part fits
//   poll.*       poll and select say what a read or write would find, and wake for it
//   count.*      FIONREAD of both sides
#include <sys/select.h>

#include "user/tests/5-pty/pty.h"

namespace {

// Fills the way into `fd` (non-blocking meanwhile); how much it took.
size_t fill(int fd) {
    static char bytes[512];
    memset(bytes, 'f', sizeof bytes);
    set_nonblocking(fd);
    size_t total = 0;
    for (ssize_t put; total < 1 << 20 && (put = write(fd, bytes, sizeof bytes)) > 0;)
        total += static_cast<size_t>(put);
    set_nonblocking(fd, false);
    return total;
}

size_t drain(int fd, size_t size) {
    static char bytes[4096];
    size_t done = 0;
    while (done < size) {
        size_t part = size - done < sizeof bytes ? size - done : sizeof bytes;
        size_t got = get_all(fd, bytes, part);
        done += got;
        if (got < part) break;
    }
    return done;
}

void test_blocking() {
    check_group("block");
    for (int up = 0; up < 2; up++) {
        Pair pair;
        if (!pair.works()) return;
        int from = up ? pair.slave : pair.master, to = up ? pair.master : pair.slave;
        const char* side = up ? "master_read_waits" : "slave_read_waits";
        pid_t child = start_child([&] {
            char byte = 0;
            return read(to, &byte, 1) == 1 ? byte : 1;
        });
        sleep_ms(30);
        put_all(from, "Q", 1);
        check_exited(side, 'Q', wait_status(child));

        size_t taken = fill(from);
        check(up ? "slave_fills" : "master_fills", taken >= 1024 && taken < 1 << 20);
        child = start_child([&] {
            static char bytes[20'000];
            return write(from, bytes, sizeof bytes) == sizeof bytes ? 0 : 1;
        });
        sleep_ms(30);
        check_equal(up ? "slave_write_waits" : "master_write_waits",
                    static_cast<long>(taken + 20'000), drain(to, taken + 20'000));
        check_exited(up ? "slave_write_is_whole" : "master_write_is_whole", 0, wait_status(child));
    }
}

void test_nonblocking() {
    check_group("nonblock");
    char byte;
    Pair pair;
    if (!pair.works()) return;
    set_nonblocking(pair.master);
    set_nonblocking(pair.slave);
    check_fails("master_read_nothing", EAGAIN, read(pair.master, &byte, 1));
    check_fails("slave_read_nothing", EAGAIN, read(pair.slave, &byte, 1));
    for (int up = 0; up < 2; up++) {
        int from = up ? pair.slave : pair.master, to = up ? pair.master : pair.slave;
        size_t taken = fill(from);
        set_nonblocking(from);
        check_fails(up ? "slave_write_full" : "master_write_full", EAGAIN, write(from, "x", 1));
        check_equal("all_that_was_taken", static_cast<long>(taken), drain(to, taken));
        check_fails("and_no_more", EAGAIN, read(to, &byte, 1));
        static char much[200'000];
        ssize_t part = write(from, much, sizeof much);
        check(up ? "slave_write_part" : "master_write_part",
              part > 0 && part < static_cast<ssize_t>(sizeof much));
        drain(to, part > 0 ? static_cast<size_t>(part) : 0);
        check_equal("write_again", 1, write(from, "y", 1));
        check_equal("read_again", 1, get_all(to, &byte, 1));
        check_equal("the_byte", 'y', byte);
    }
    set_nonblocking(pair.slave);
    struct termios t;
    tcgetattr(pair.slave, &t);
    t.c_lflag |= ICANON;
    tcsetattr(pair.slave, TCSANOW, &t);
    put_all(pair.master, "half", 4);
    check_fails("unfinished_line", EAGAIN, read(pair.slave, &byte, 1));
}

void test_poll() {
    check_group("poll");
    char bytes[16];
    Pair pair;
    if (!pair.works()) return;
    for (int up = 0; up < 2; up++) {
        int from = up ? pair.slave : pair.master, to = up ? pair.master : pair.slave;
        check_equal(up ? "master_idle" : "slave_idle", POLLOUT, poll_for(to, POLLIN | POLLOUT));
        put_all(from, "x", 1);
        check_equal(up ? "master_readable" : "slave_readable", POLLIN | POLLOUT,
                    poll_for(to, POLLIN, 2000) | poll_for(to, POLLIN | POLLOUT));
        read(to, bytes, 1);
        uint64_t start = now_us();
        check_equal("time_limit", 0, poll_for(to, POLLIN, 60));
        check("not_early", now_us() - start >= 59'000);
        pid_t child = start_child([&] {
            sleep_ms(40);
            return put_all(from, "x", 1) ? 0 : 1;
        });
        check_equal(up ? "master_wakes" : "slave_wakes", POLLIN, poll_for(to, POLLIN, 5000));
        wait_status(child);
        read(to, bytes, 1);

        size_t taken = fill(from);
        check_equal(up ? "slave_full" : "master_full", 0, poll_for(from, POLLOUT));
        child = start_child([&] {
            sleep_ms(40);
            return drain(to, taken) == taken ? 0 : 1;
        });
        check_equal(up ? "slave_room" : "master_room", POLLOUT, poll_for(from, POLLOUT, 5000));
        check_exited("drained", 0, wait_status(child));
    }
    fd_set wanted;
    FD_ZERO(&wanted);
    FD_SET(pair.master, &wanted);
    FD_SET(pair.slave, &wanted);
    put_all(pair.slave, "z", 1);
    timeval limit = {2, 0};
    int highest = pair.master > pair.slave ? pair.master : pair.slave;
    check_equal("select", 1, select(highest + 1, &wanted, nullptr, nullptr, &limit));
    check("select_says_which", FD_ISSET(pair.master, &wanted) && !FD_ISSET(pair.slave, &wanted));

    Pair lines(false);
    put_all(lines.master, "half", 4);
    check_equal("unfinished_line", 0, poll_for(lines.slave, POLLIN));
    put_all(lines.master, "\n", 1);
    check_equal("finished_line", POLLIN, poll_for(lines.slave, POLLIN, 2000));
    check_equal("the_line", 5, read(lines.slave, bytes, sizeof bytes));
    put_all(lines.master, "\x04", 1);
    check_equal("end_of_file_is_readable", POLLIN, poll_for(lines.slave, POLLIN, 2000));
    check_equal("end_of_file", 0, read(lines.slave, bytes, sizeof bytes));
    check_equal("once", 0, poll_for(lines.slave, POLLIN));
}

void test_counts() {
    check_group("count");
    char bytes[32];
    Pair pair;
    if (!pair.works()) return;
    int available = -1;
    check_equal("ioctl", 0, ioctl(pair.master, FIONREAD, &available));
    check_equal("nothing", 0, available);
    put_all(pair.slave, "seventeen letters", 17);
    poll_for(pair.master, POLLIN, 2000);  // Linux brings data over in a thread of its own
    ioctl(pair.master, FIONREAD, &available);
    check_equal("master", 17, available);
    read(pair.master, bytes, 5);
    ioctl(pair.master, FIONREAD, &available);
    check_equal("master_after_a_read", 12, available);
    put_all(pair.master, "twelve bytes", 12);
    poll_for(pair.slave, POLLIN, 2000);
    ioctl(pair.slave, FIONREAD, &available);
    check_equal("slave", 12, available);
    check_equal("flush", 0, tcflush(pair.slave, TCIFLUSH));
    ioctl(pair.slave, FIONREAD, &available);
    check_equal("flushed", 0, available);
}

}  // namespace

int main() {
    test_blocking();
    test_nonblocking();
    test_poll();
    test_counts();
    return check_summary("waiting");
}
