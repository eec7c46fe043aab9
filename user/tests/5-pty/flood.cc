// Much data through pairs and pipes, with readers and writers that wait for each other all
// the time: a byte lost, doubled or out of order spoils a hash, a lost wake-up stops it.
//
//   flood_down, flood_up    hashes of what came through a raw pair in both directions at once
//   flood_pipe              the same for a pipe, with sizes around its capacity
//   flood_lines             lines that two processes write to a slave while somebody types
//                           there with echo: how many came whole and in order
//
// Host data: `flood_seed`, `flood_size` (bytes each way), `flood_lines`.
#include <sched.h>
#include <stdlib.h>

#include <atomic>

#include "user/tests/5-pty/pty.h"
#include "user/tests/lib/figure.h"
#include "user/tests/lib/shared_memory.h"

namespace {

constexpr uint64_t kEchoAhead = 50;  // lines
constexpr uint64_t kPatienceUs = 10'000'000;

uint64_t seed, size, lines;

struct Board {
    std::atomic<uint64_t> hash[3], progress[3];
    void clear() {
        for (int i = 0; i < 3; i++) hash[i] = progress[i] = 0;
    }
};
Board* board;

// Writes the sequence of `which` in pieces of random sizes up to `most`.
int pour(int fd, unsigned which, size_t most) {
    static unsigned char bytes[16384];
    Sequence data(seed + which), sizes(seed ^ (which + 1));
    for (uint64_t done = 0; done < size;) {
        size_t part = 1 + sizes.below(most);
        if (part > size - done) part = size - done;
        data.fill(bytes, part);
        if (!put_all(fd, bytes, part)) return 1;
        done += part;
    }
    return 0;
}

int drink(int fd, unsigned which, size_t most) {
    static unsigned char bytes[16384];
    Sequence sizes(seed ^ (which + 77));
    uint64_t hash = kHashStart;
    for (uint64_t done = 0; done < size;) {
        ssize_t got = read(fd, bytes, 1 + sizes.below(most));
        if (got <= 0) return 1;
        hash = hash_bytes(bytes, static_cast<size_t>(got), hash);
        done += static_cast<uint64_t>(got);
        board->progress[which] = done;
    }
    board->hash[which] = hash;
    return 0;
}

// Waits for children to end while their board shows progress; kills them when it stops.
bool finish(const pid_t* children, unsigned count) {
    uint64_t last = ~0ull, since = now_us();
    unsigned left = count, bad = 0;
    while (left > 0) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid > 0) {
            left--;
            bad += status != 0;
            continue;
        }
        sleep_ms(5);
        uint64_t sum = board->progress[0] + board->progress[1] + board->progress[2];
        if (sum != last) {
            last = sum;
            since = now_us();
        } else if (now_us() - since > kPatienceUs) {
            check_failed("goes_on", Where::current(),
                         "it stands still after %lu and %lu bytes: a wake-up was lost?",
                         board->progress[0].load(), board->progress[1].load());
            for (unsigned i = 0; i < count; i++) kill(children[i], SIGKILL);
            while (wait(nullptr) > 0) {
            }
            return false;
        }
    }
    check_equal("children_failed", 0, bad);
    return bad == 0;
}

template <typename Body>
pid_t start_on(unsigned cpu, Body body) {
    return start_child([&] {
        pin_to_cpu(cpu % cpu_count());
        return body();
    });
}

void test_pair() {
    check_group("pair");
    Pair pair;
    if (!pair.works()) return;
    board->clear();
    pid_t children[] = {
        start_on(0, [&] { return pour(pair.master, 0, 900); }),
        start_on(1, [&] { return drink(pair.slave, 0, 700); }),
        start_on(2, [&] { return pour(pair.slave, 1, 3000); }),
        start_on(3, [&] { return drink(pair.master, 1, 12'000); }),
    };
    if (!finish(children, 4)) return;
    report("flood_down", "%#lx", board->hash[0].load());
    report("flood_up", "%#lx", board->hash[1].load());
}

void test_pipe() {
    check_group("pipe");
    int ends[2];
    if (!check_works("made", pipe(ends))) return;
    fcntl(ends[1], F_SETPIPE_SZ, 8192);
    board->clear();
    pid_t children[] = {
        start_on(0, [&] { return pour(ends[1], 2, 16'000); }),
        start_on(1, [&] { return drink(ends[0], 2, 9'000); }),
    };
    if (!finish(children, 2)) return;
    report("flood_pipe", "%#lx", board->hash[2].load());
    close(ends[0]);
    close(ends[1]);
}

// Two writers and the echo meet in the output of one terminal. Each has letters of its own,
// in a fixed order, so the reader can take the mixture apart: nothing may be missing, twice
// or out of order, and every newline has its return.
struct Letters {
    char first;
    unsigned count, at = 0;
    char next() { return static_cast<char>(first + at++ % count); }
};

int write_lines(int slave, Letters letters) {
    char line[80];
    for (uint64_t i = 0; i < lines; i++) {
        size_t length = 1 + i * 7 % 60;
        for (size_t n = 0; n + 1 < length; n++) line[n] = letters.next();
        line[length - 1] = '\n';
        if (!put_all(slave, line, length)) return 1;
    }
    return 0;
}

// Types lines and reads them back, as the program at the terminal would.
int type_lines(const Pair& pair) {
    Letters letters = {'0', 10};
    char line[8], got[8];
    for (uint64_t i = 0; i < lines; i++) {
        for (size_t n = 0; n < 7; n++) line[n] = letters.next();
        line[7] = '\n';
        if (!put_all(pair.master, line, sizeof line)) return 1;
        if (read(pair.slave, got, sizeof got) != sizeof got) return 2;
        if (memcmp(line, got, sizeof got) != 0) return 3;
        board->progress[1] = i + 1;
        // Echo that nobody takes may be dropped: never ahead of it by much.
        while ((i + 1 - board->progress[2]) > kEchoAhead) sched_yield();
    }
    return 0;
}

int take_apart(int master) {
    Letters kinds[] = {{'a', 26}, {'A', 26}, {'0', 10}};
    char bytes[1000], before = 0;
    for (uint64_t newlines = 0; newlines < 3 * lines;) {
        ssize_t got = read(master, bytes, sizeof bytes);
        if (got <= 0) return 1;
        board->progress[0] += static_cast<uint64_t>(got);
        for (ssize_t i = 0; i < got; i++) {
            char c = bytes[i];
            if ((c == '\n') != (before == '\r')) return 2;
            before = c;
            newlines += c == '\n';
            if (c == '\r' || c == '\n') continue;
            Letters& kind = kinds[c >= 'a' ? 0 : c >= 'A' ? 1 : 2];
            if (c != kind.next()) return 3;
        }
        board->progress[2] = kinds[2].at / 7;
        board->hash[2] = newlines;
    }
    return 0;
}

void test_mix() {
    check_group("mix");
    Pair pair(false);
    if (!pair.works()) return;
    board->clear();
    pid_t children[] = {
        start_on(0, [&] { return take_apart(pair.master); }),
        start_on(1, [&] { return write_lines(pair.slave, {'a', 26}); }),
        start_on(2, [&] { return write_lines(pair.slave, {'A', 26}); }),
        start_on(3, [&] { return type_lines(pair); }),
    };
    if (finish(children, 4)) report("flood_lines", "%lu", board->hash[2].load());
}

}  // namespace

int main() {
    seed = host_number("flood_seed", 1);
    size = host_number("flood_size", 300'000);
    lines = host_number("flood_lines", 1500);
    board = shared_memory<Board>();
    test_pair();
    test_pipe();
    test_mix();
    return check_summary("flood");
}
