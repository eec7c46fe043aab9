// What pipes owe their ring: contents, sizes, room, and writes that do not mix.
//
//   pipe.*     contents of the host's choice in pieces of the host's choice; capacity, FIONREAD,
//              F_SETPIPE_SZ; end of file
//   atomic.*   writes up to PIPE_BUF of several processes come out whole
//
// Host data: `pipe_seed`, `pipe_size`, `pipe_records`. Reported: `pipe_hash`, `pipe_records`.
#include <stdlib.h>

#include "user/tests/5-pty/pty.h"
#include "user/tests/lib/figure.h"

namespace {

constexpr size_t kAtomic = 4096;
constexpr unsigned kWriters = 3;

void test_contents() {
    check_group("pipe");
    int ends[2];
    check_works("made", pipe(ends));
    size_t size = host_number("pipe_size", 200'000);
    Sequence data(host_number("pipe_seed", 1)), sizes(host_number("pipe_seed", 1) + 1);
    static unsigned char bytes[40'000], got[40'000];
    uint64_t hash = kHashStart;
    size_t inside = 0;
    // One process: what is written never exceeds what fits. Positions run around the ring.
    for (size_t done = 0; done < size || inside > 0;) {
        size_t part = sizes.below(30'000);
        if (part > size - done) part = size - done;
        if (part > 0 && inside + part <= 60'000) {
            data.fill(bytes, part);
            check_quietly(true);
            check_equal("write", static_cast<long>(part), write(ends[1], bytes, part));
            done += part;
            inside += part;
        }
        size_t wanted = 1 + sizes.below(inside < sizeof got ? inside + 1 : sizeof got);
        if (inside == 0) continue;
        size_t expected = wanted < inside ? wanted : inside;
        ssize_t came = read(ends[0], got, wanted);
        check_equal("read", static_cast<long>(expected), came);
        if (came <= 0) break;
        hash = hash_bytes(got, static_cast<size_t>(came), hash);
        inside -= static_cast<size_t>(came);
    }
    check_quietly(false);
    report("pipe_hash", "%#lx", hash);

    set_nonblocking(ends[0]);
    set_nonblocking(ends[1]);
    check_fails("empty", EAGAIN, read(ends[0], got, 1));
    static unsigned char much[1 << 20];
    check_equal("capacity", 65'536, write(ends[1], much, sizeof much));
    check_fails("full", EAGAIN, write(ends[1], much, 1));
    int available = 0;
    ioctl(ends[0], FIONREAD, &available);
    check_equal("available", 65'536, available);
    while (read(ends[0], got, sizeof got) > 0) {
    }
    check_equal("larger", 1 << 18, fcntl(ends[1], F_SETPIPE_SZ, 1 << 18));
    check_equal("holds_more", 1 << 18, write(ends[1], much, sizeof much));
    close(ends[1]);
    long rest = 0;
    for (ssize_t came; (came = read(ends[0], got, sizeof got)) > 0;) rest += came;
    check_equal("rest_before_the_end", 1 << 18, rest);
    check_equal("end_of_file", 0, read(ends[0], got, 1));
    close(ends[0]);
}

// Records of up to PIPE_BUF bytes: length, writer, number, then bytes that follow from them.
struct Head {
    uint16_t length, writer;
    uint32_t number;
};

unsigned char body_byte(const Head& head, size_t i) {
    return static_cast<unsigned char>(head.writer * 31 + head.number * 7 + i);
}

int write_records(int fd, unsigned writer, uint64_t count) {
    static unsigned char record[kAtomic];
    Sequence sizes(writer);
    for (uint32_t n = 0; n < count; n++) {
        Head head = {static_cast<uint16_t>(sizeof(Head) + sizes.below(kAtomic - sizeof(Head) + 1)),
                     static_cast<uint16_t>(writer), n};
        memcpy(record, &head, sizeof head);
        for (size_t i = sizeof head; i < head.length; i++) record[i] = body_byte(head, i);
        if (write(fd, record, head.length) != head.length) return 1;
    }
    return 0;
}

void test_atomic() {
    check_group("atomic");
    uint64_t count = host_number("pipe_records", 300);
    int ends[2];
    check_works("made", pipe(ends));
    pid_t children[kWriters];
    for (unsigned w = 0; w < kWriters; w++) {
        children[w] = start_child([&] {
            pin_to_cpu((w + 1) % cpu_count());
            close(ends[0]);
            return write_records(ends[1], w, count);
        });
    }
    close(ends[1]);
    static unsigned char record[kAtomic];
    uint32_t next[kWriters] = {};
    uint64_t whole = 0;
    for (;;) {
        Head head;
        size_t have = get_all(ends[0], &head, sizeof head);
        if (have == 0) break;
        bool good = have == sizeof head && head.writer < kWriters && head.length <= kAtomic &&
                    head.length >= sizeof head && head.number == next[head.writer]++;
        size_t body = good ? head.length - sizeof head : 0;
        good = good && get_all(ends[0], record, body) == body;
        for (size_t i = 0; good && i < body; i++)
            good = record[i] == body_byte(head, i + sizeof head);
        if (!good) {
            check_failed("whole", Where::current(), "record %lu is torn: writes have mixed",
                         whole);
            break;
        }
        whole++;
    }
    close(ends[0]);
    for (pid_t child : children) check_exited("writer", 0, wait_status(child));
    report("pipe_records", "%lu", whole);
}

}  // namespace

int main() {
    test_contents();
    signal(SIGPIPE, SIG_IGN);
    test_atomic();
    return check_summary("pipes");
}
