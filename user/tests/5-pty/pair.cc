// The life of a PTY pair: made, named, locked, opened, hung up from either side, used again.
//
//   make.*     numbers, names, the lock, nodes in /dev/pts
//   data.*     bytes of the host's choice, both ways
//   slave.*    the slave's end: EIO at the master after what was written, and only then
//   master.*   the master's end: end of file, EIO, SIGHUP for the session, waiters wake
//   fault.*    bad buffers: EFAULT, and nothing is lost (Linux loses what it could not copy;
//              the contracts here are stricter)
//
// Host data: `pair_seed`, `pair_size`. Reported: `pair_down`, `pair_up`: hashes of what came
// through from master to slave and back.
#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "user/tests/5-pty/pty.h"

namespace {

void test_make() {
    check_group("make");
    int first = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    if (!check_works("open_ptmx", first)) return;
    int number = pair_number(first);
    check("number", number >= 0);
    int locked = -1;
    ioctl(first, TIOCGPTLCK, &locked);
    check_equal("starts_locked", 1, locked);
    check_fails("open_locked", EIO, open_slave(first));
    int unlocked = 0;
    check_equal("unlock", 0, ioctl(first, TIOCSPTLCK, &unlocked));
    int slave = open_slave(first);
    check_works("open_unlocked", slave);
    check_equal("slave_is_a_terminal", 1, isatty(slave));

    int second = open_master();
    int other = pair_number(second);
    check("numbers_differ", other >= 0 && other != number);
    char name[32];
    snprintf(name, sizeof name, "/dev/pts/%d", number);
    struct stat info = {};
    check_equal("stat", 0, stat(name, &info));
    check("character_device", S_ISCHR(info.st_mode));
    snprintf(name, sizeof name, "%d", other);
    bool listed = false;
    DIR* directory = opendir("/dev/pts");
    while (dirent* entry = directory == nullptr ? nullptr : readdir(directory))
        listed |= strcmp(entry->d_name, name) == 0;
    if (directory != nullptr) closedir(directory);
    check("listed", listed);

    struct winsize size = {37, 91, 0, 0}, seen = {};
    check_equal("set_size", 0, ioctl(first, TIOCSWINSZ, &size));
    check_equal("get_size", 0, ioctl(slave, TIOCGWINSZ, &seen));
    check("size_goes_through", seen.ws_row == 37 && seen.ws_col == 91);

    close(slave);
    close(first);
    snprintf(name, sizeof name, "/dev/pts/%d", number);
    check_fails("gone_with_its_master", ENOENT, open(name, O_RDWR | O_NOCTTY));
    int again = open_master();
    check_equal("number_is_used_again", number, pair_number(again));
    close(again);
    close(second);

    // Many pairs, each of its own.
    int masters[20];
    unsigned seen_numbers[4] = {}, distinct = 0;
    for (int& master : masters) {
        master = open_master();
        auto n = static_cast<unsigned>(pair_number(master));
        if (n >= 128 || (seen_numbers[n / 32] & 1u << n % 32) != 0) continue;
        seen_numbers[n / 32] |= 1u << n % 32;
        distinct++;
    }
    check_equal("twenty_pairs", 20, distinct);
    for (int master : masters) close(master);
}

void test_data() {
    check_group("data");
    Pair pair;
    if (!pair.works()) return;
    size_t size = host_number("pair_size", 3000);
    static unsigned char sent[4096], got[4096];
    Sequence sequence(host_number("pair_seed", 1));
    for (int up = 0; up < 2; up++) {
        sequence.fill(sent, size);
        int from = up ? pair.slave : pair.master, to = up ? pair.master : pair.slave;
        check_equal("write", static_cast<long>(size), write(from, sent, size));
        size_t came = get_all(to, got, size);
        report(up ? "pair_up" : "pair_down", "%#lx", hash_bytes(got, came));
    }
}

void test_slave_end() {
    check_group("slave");
    char bytes[100];
    Pair pair;
    if (!pair.works()) return;
    put_all(pair.slave, "last words", 10);
    int copy = dup(pair.slave);
    close(pair.slave);
    check_equal("a_copy_keeps_it_open", 10, read(pair.master, bytes, sizeof bytes));
    check_equal("not_hung_up_yet", 0, poll_for(pair.master, POLLIN) & (POLLIN | POLLHUP));
    pid_t child = start_child([&] {
        close(pair.master);
        sleep_ms(40);
        return put_all(copy, "child", 5) ? 0 : 1;
    });
    close(copy);
    check_equal("a_child_keeps_it_open", 5, read(pair.master, bytes, sizeof bytes));
    check_exited("child", 0, wait_status(child));
    check_fails("eio_at_the_end", EIO, read(pair.master, bytes, sizeof bytes));
    check("hung_up", (poll_for(pair.master, POLLIN) & POLLHUP) != 0);

    // Written, then closed: the master reads it all before it sees the end.
    pair.slave = open_slave(pair.master);
    check_works("open_again", pair.slave);
    check_equal("open_again_ends_the_hangup", 0, poll_for(pair.master, POLLIN) & POLLHUP);
    put_all(pair.slave, "abcdefghij", 10);
    pair.close_slave();
    check_equal("drained_first", 4, read(pair.master, bytes, 4));
    check_equal("drained_to_the_end", 6, read(pair.master, bytes, sizeof bytes));
    check_bytes("what_was_written", "efghij", bytes, 6);
    check_fails("eio_after_it", EIO, read(pair.master, bytes, sizeof bytes));

    // A master that waits notices the end.
    pair.slave = open_slave(pair.master);
    child = start_child([&] {
        close(pair.slave);
        char byte;
        return read(pair.master, &byte, 1) == -1 && errno == EIO ? 0 : 1;
    });
    sleep_ms(40);
    pair.close_slave();
    check_exited("a_waiting_master_wakes", 0, wait_status(child));
}

// A session with the slave of `pair` as its controlling terminal, that waits to be killed.
int be_session(Pair& pair) {
    setsid();
    pair.close_master();
    if (ioctl(pair.slave, TIOCSCTTY, 0) != 0) return 1;
    if (!put_all(pair.slave, "!", 1)) return 2;
    for (;;) pause();
}

void test_master_end() {
    check_group("master");
    char bytes[100];
    {
        Pair pair;
        if (!pair.works()) return;
        put_all(pair.master, "unread", 6);
        int copy = dup(pair.master);
        pair.close_master();
        check_equal("a_copy_keeps_it_open", 6, read(pair.slave, bytes, sizeof bytes));
        close(copy);
        check_equal("end_of_file", 0, read(pair.slave, bytes, sizeof bytes));
        check_equal("end_of_file_again", 0, read(pair.slave, bytes, sizeof bytes));
        check_fails("write_fails", EIO, write(pair.slave, "x", 1));
        struct termios t;
        check_fails("ioctl_fails", EIO, tcgetattr(pair.slave, &t));
        check("hung_up", (poll_for(pair.slave, POLLIN) & POLLHUP) != 0);
    }
    {
        Pair pair;
        pid_t child = start_child([&] {
            pair.close_master();
            return read(pair.slave, bytes, sizeof bytes) <= 0 ? 0 : 1;  // end of file, or EIO
        });
        pair.close_slave();
        sleep_ms(40);
        pair.close_master();
        check_exited("a_waiting_reader_wakes", 0, wait_status(child));
    }
    {
        Pair pair;
        pid_t child = start_child([&] {
            pair.close_master();
            static char much[400'000];
            ssize_t put = write(pair.slave, much, sizeof much);
            return put < static_cast<ssize_t>(sizeof much) ? 0 : 1;
        });
        pair.close_slave();
        sleep_ms(40);
        pair.close_master();
        check_exited("a_waiting_writer_wakes", 0, wait_status(child));
    }
    {
        Pair pair;
        pid_t child = start_child([&] { return be_session(pair); });
        pair.close_slave();
        check_equal("session_runs", 1, read(pair.master, bytes, 1));
        pair.close_master();
        check_killed("session_gets_sighup", SIGHUP, wait_status(child));
    }
}

void test_faults() {
    check_group("fault");
    char bytes[100];
    Pair pair;
    if (!pair.works()) return;
    const size_t page = 4096;
    auto* area = static_cast<char*>(mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE,
                                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(area + page, page, PROT_NONE);
    char* bad = area + page;
    put_all(pair.slave, "kept", 4);
    check_fails("master_read", EFAULT, read(pair.master, bad, 4));
    check_equal("master_read_lost_nothing", 4, get_all(pair.master, bytes, 4));
    put_all(pair.master, "kept", 4);
    check_fails("slave_read", EFAULT, read(pair.slave, bad, 4));
    check_equal("slave_read_lost_nothing", 4, get_all(pair.slave, bytes, 4));
    check_fails("master_write", EFAULT, write(pair.master, bad, 4));
    check_fails("slave_write", EFAULT, write(pair.slave, bad, 4));
    // A buffer that ends in the middle: so many bytes are taken, the others stay.
    put_all(pair.slave, "0123456789", 10);
    ssize_t got = read(pair.master, bad - 4, 10);
    check("part_or_nothing", got == 4 || (got == -1 && errno == EFAULT));
    size_t left = got == 4 ? 6 : 10;
    check_equal("the_others_stay", static_cast<long>(left), get_all(pair.master, bytes, left));
    check_bytes("in_their_order", &"0123456789"[10 - left], bytes, left);
    munmap(area, 2 * page);
}

}  // namespace

int main() {
    test_make();
    test_data();
    test_slave_end();
    test_master_end();
    test_faults();
    return check_summary("pair");
}
