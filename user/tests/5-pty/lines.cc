// Types at a terminal what the host chose, and tells what a program reads there and what the
// screen shows. Canonical mode with echo, as terminals start.
//
//   lines_count, lines_hash   reads and the hash of all they returned (each with its length
//                             before it, so that lines are told apart)
//   lines_echo                hash of the bytes that came back to the master
//   edit.*                    checks of modes: TCSANOW and TCSAFLUSH, output translation
//
// Host data: `lines_keys`, bytes to type; `lines_pieces`, seed of how many at a time.
#include <stdlib.h>

#include "user/tests/5-pty/pty.h"

namespace {

uint64_t echo_hash = kHashStart;

void take_echo(int master) {
    static char bytes[4096];
    for (ssize_t got; (got = read(master, bytes, sizeof bytes)) > 0;)
        echo_hash = hash_bytes(bytes, static_cast<size_t>(got), echo_hash);
}

void test_typing() {
    std::string_view keys = host_data("lines_keys");
    Pair pair(false);
    if (!pair.works()) return;
    set_nonblocking(pair.master);
    set_nonblocking(pair.slave);
    Sequence pieces(host_number("lines_pieces", 1));
    static char bytes[4096];
    uint64_t hash = kHashStart;
    uint32_t count = 0;
    for (size_t done = 0; done < keys.size();) {
        size_t part = 1 + pieces.below(9);
        if (part > keys.size() - done) part = keys.size() - done;
        if (!put_all(pair.master, keys.data() + done, part)) {
            check_failed("type", Where::current(), "at key %zu: %s", done, error_name(errno));
            break;
        }
        done += part;
        for (ssize_t got; (got = read(pair.slave, bytes, sizeof bytes)) >= 0;) {
            auto length = static_cast<uint32_t>(got);
            hash = hash_bytes(&length, sizeof length, hash);
            hash = hash_bytes(bytes, length, hash);
            count++;
        }
        take_echo(pair.master);
    }
    report("lines_count", "%u", count);
    report("lines_hash", "%#lx", hash);
    report("lines_echo", "%#lx", echo_hash);
}

void test_modes() {
    check_group("edit");
    char bytes[100];
    Pair pair(false);
    if (!pair.works()) return;
    put_all(pair.master, "typed before", 12);
    check_equal("echo", 12, get_all(pair.master, bytes, 12));
    make_raw(pair.slave);
    check_equal("raw_keeps_input", 12, get_all(pair.slave, bytes, 12));
    put_all(pair.master, "x", 1);
    struct termios t;
    check_equal("get", 0, tcgetattr(pair.slave, &t));
    poll_for(pair.slave, POLLIN, 2000);
    check_equal("set_and_flush", 0, tcsetattr(pair.slave, TCSAFLUSH, &t));
    check_equal("flushed", 0, poll_for(pair.slave, POLLIN));
    t.c_oflag |= OPOST | ONLCR;
    tcsetattr(pair.slave, TCSADRAIN, &t);
    check_equal("write", 4, write(pair.slave, "a\nb\n", 4));
    check_equal("returns_added", 6, get_all(pair.master, bytes, 6));
    check_bytes("translated", "a\r\nb\r\n", bytes, 6);
}

}  // namespace

int main() {
    test_typing();
    test_modes();
    return check_summary("lines");
}
