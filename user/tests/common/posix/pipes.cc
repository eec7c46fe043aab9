// Pipes, and waiting for them: poll, select.
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/time.h>
#include <time.h>

#include <algorithm>

#include "user/tests/common/posix/posix.h"

namespace {

constexpr size_t kAtomic = 4096;  // PIPE_BUF

struct Pipe {
    int ends[2] = {-1, -1};
    explicit Pipe(int flags = 0) {
        if (pipe2(ends, flags) != 0) check_failed("pipe", Where::current(), "cannot be made");
    }
    ~Pipe() {
        close_reader();
        close_writer();
    }
    int reader() const { return ends[0]; }
    int writer() const { return ends[1]; }
    void close_reader() { close_end(ends[0]); }
    void close_writer() { close_end(ends[1]); }

  private:
    static void close_end(int& fd) {
        if (fd >= 0) close(fd);
        fd = -1;
    }
};

// Bytes that go in without blocking; `writer` is non-blocking.
size_t fill_pipe(int writer, size_t piece = 1024) {
    static char bytes[65536];
    size_t total = 0;
    for (ssize_t put; (put = write(writer, bytes, piece)) > 0;) total += put;
    return total;
}

void test_basics() {
    char buffer[100];
    Pipe pipe;
    check_equal("write", 5, write(pipe.writer(), "hello", 5));
    check_equal("write_more", 5, write(pipe.writer(), "world", 5));
    check_equal("read_part", 3, read(pipe.reader(), buffer, 3));
    check_equal("read_rest", 7, read(pipe.reader(), buffer + 3, sizeof buffer - 3));
    check_bytes("order", "helloworld", buffer, 10);
    check_equal("read_nothing", 0, read(pipe.reader(), buffer, 0));
    check_equal("write_nothing", 0, write(pipe.writer(), buffer, 0));
    check_fails("read_write_end", EBADF, read(pipe.writer(), buffer, 1));
    check_fails("write_read_end", EBADF, write(pipe.reader(), buffer, 1));
    write(pipe.writer(), "last", 4);
    pipe.close_writer();
    check_equal("read_after_close", 4, read(pipe.reader(), buffer, sizeof buffer));
    check_equal("end_of_file", 0, read(pipe.reader(), buffer, sizeof buffer));
    check_equal("end_of_file_again", 0, read(pipe.reader(), buffer, sizeof buffer));
}

void test_broken() {
    Pipe pipe;
    pipe.close_reader();
    check_killed("no_reader_kills", SIGPIPE, run_child([&] {
                     return static_cast<int>(write(pipe.writer(), "x", 1));
                 }));
    signal(SIGPIPE, SIG_IGN);
    check_fails("no_reader_ignored", EPIPE, write(pipe.writer(), "x", 1));
    Pipe other;
    pid_t child = start_child([&] {
        close(other.reader());
        static char bytes[300000];
        // Blocks with part of it written, then the reader goes away.
        ssize_t put = write(other.writer(), bytes, sizeof bytes);
        return put > 0 && put < static_cast<ssize_t>(sizeof bytes) ? 0 : 1;
    });
    sleep_ms(30);
    other.close_reader();
    check_exited("reader_goes_while_writing", 0, wait_status(child));
    signal(SIGPIPE, SIG_DFL);
}

void test_nonblocking() {
    char byte;
    Pipe pipe(O_NONBLOCK);
    check_fails("read_empty", EAGAIN, read(pipe.reader(), &byte, 1));
    size_t capacity = fill_pipe(pipe.writer());
    check("capacity", capacity >= kAtomic && capacity <= 1 << 20);
    check_fails("write_full", EAGAIN, write(pipe.writer(), "x", 1));
    char buffer[kAtomic + 1000];
    for (size_t done = 0; done < kAtomic;) {
        ssize_t got = read(pipe.reader(), buffer, kAtomic - done);
        if (got <= 0) break;
        done += got;
    }
    check_equal("room_again", kAtomic, write(pipe.writer(), buffer, kAtomic));
    // Up to PIPE_BUF all or nothing: never a part.
    fill_pipe(pipe.writer(), 1);
    check_equal("read_a_little", 100, read(pipe.reader(), buffer, 100));
    check_fails("no_room_for_all", EAGAIN, write(pipe.writer(), buffer, kAtomic));
    while (read(pipe.reader(), buffer, sizeof buffer) > 0) {
    }
    static char large[200000];
    ssize_t part = write(pipe.writer(), large, sizeof large);
    check("large_writes_a_part", part > 0 && part < static_cast<ssize_t>(sizeof large));
}

void test_blocking() {
    Pipe pipe;
    pid_t reader = start_child([&] {
        char byte = 0;
        return read(pipe.reader(), &byte, 1) == 1 ? byte : 1;
    });
    sleep_ms(20);
    write(pipe.writer(), "R", 1);
    check_exited("reader_waits", 'R', wait_status(reader));
    reader = start_child([&] {
        pipe.close_writer();
        char byte;
        return read(pipe.reader(), &byte, 1) == 0 ? 0 : 1;
    });
    sleep_ms(20);
    pipe.close_writer();
    check_exited("close_wakes_reader", 0, wait_status(reader));

    // A stream through a child, in pieces that never fit.
    Pipe stream;
    constexpr size_t kTotal = 3000000;
    pid_t writer = start_child([&] {
        stream.close_reader();
        static char piece[10007];
        for (size_t done = 0; done < kTotal;) {
            size_t length = std::min(sizeof piece, kTotal - done);
            fill(piece, length, done);
            if (write(stream.writer(), piece, length) != static_cast<ssize_t>(length)) return 1;
            done += length;
        }
        return 0;
    });
    stream.close_writer();
    static char piece[70001];
    size_t received = 0, wrong = 0;
    for (;;) {
        ssize_t got = read(stream.reader(), piece, sizeof piece);
        if (got <= 0) break;
        wrong += filled_until(piece, got, received) != static_cast<size_t>(got);
        received += got;
    }
    check_exited("stream_writer", 0, wait_status(writer));
    check_equal("stream_length", kTotal, received);
    check_equal("stream_wrong_pieces", 0, wrong);
}

// Writes up to PIPE_BUF of several processes do not mix.
void test_atomic() {
    Pipe pipe;
    constexpr int kWriters = 4, kRecords = 200;
    constexpr size_t kRecord = 512;
    for (int i = 0; i < kWriters; i++) {
        start_child([&] {
            char record[kRecord];
            memset(record, 'a' + i, sizeof record);
            for (int j = 0; j < kRecords; j++) {
                if (write(pipe.writer(), record, sizeof record) != sizeof record) return 1;
            }
            return 0;
        });
    }
    pipe.close_writer();
    char record[kRecord];
    int torn = 0, counts[kWriters] = {};
    for (;;) {
        size_t have = 0;
        while (have < kRecord) {
            ssize_t got = read(pipe.reader(), record + have, kRecord - have);
            if (got <= 0) break;
            have += got;
        }
        if (have < kRecord) break;
        torn += !all_bytes(record, kRecord, record[0]);
        counts[(record[0] - 'a') & 3]++;
    }
    for (int i = 0; i < kWriters; i++) {
        check_exited("atomic_writer", 0, wait_status(-1));
        check_equal("atomic_records", kRecords, counts[i]);
    }
    check_equal("atomic_torn", 0, torn);
}

void test_fifo() {
    check_works("fifo", mkfifo("fifo", 0644));
    struct stat info;
    stat("fifo", &info);
    check("fifo_type", S_ISFIFO(info.st_mode));
    check_fails("fifo_no_reader", ENXIO, open("fifo", O_WRONLY | O_NONBLOCK));
    pid_t writer = start_child([] {
        int fd = open("fifo", O_WRONLY);
        return write(fd, "through", 7) == 7 ? 0 : 1;
    });
    int fd = open("fifo", O_RDONLY);
    char buffer[10];
    check_equal("fifo_read", 7, read(fd, buffer, sizeof buffer));
    check_equal("fifo_end", 0, read(fd, buffer, sizeof buffer));
    check_exited("fifo_writer", 0, wait_status(writer));
    close(fd);
}

}  // namespace

void test_pipes() {
    test_basics();
    test_broken();
    test_nonblocking();
    test_blocking();
    test_atomic();
    test_fifo();
}

void test_pipe_size() {
    Pipe pipe(O_NONBLOCK);
    check_equal("default", 65536, fcntl(pipe.writer(), F_GETPIPE_SZ));
    check_equal("holds_what_it_says", 65536, fill_pipe(pipe.writer(), 4096));
    check_fails("shrink_below_contents", EBUSY, fcntl(pipe.writer(), F_SETPIPE_SZ, 4096));
    int waiting = 0;
    ioctl(pipe.reader(), FIONREAD, &waiting);
    check_equal("contents", 65536, waiting);
    Pipe large(O_NONBLOCK);
    check_equal("grow", 1 << 18, fcntl(large.writer(), F_SETPIPE_SZ, 200000));
    check_equal("grown", 1 << 18, fcntl(large.reader(), F_GETPIPE_SZ));
    check_equal("room", 1 << 18, fill_pipe(large.writer(), 4096));
    Pipe small;
    check_equal("shrink", 4096, fcntl(small.writer(), F_SETPIPE_SZ, 1));
    int fd = make_file("file", 1);
    check_fails("file", EBADF, fcntl(fd, F_GETPIPE_SZ));
    close(fd);
}

namespace {

int poll_one(int fd, int events, int timeout = 0) {
    pollfd entry = {fd, static_cast<short>(events), 0x55};
    int ready = poll(&entry, 1, timeout);
    if (ready < 0) return -1;
    return ready == (entry.revents != 0) ? entry.revents : -2;
}

}  // namespace

void test_poll() {
    Pipe pipe;
    check_equal("empty", 0, poll_one(pipe.reader(), POLLIN));
    check_equal("writable", POLLOUT, poll_one(pipe.writer(), POLLOUT));
    check_equal("not_asked", 0, poll_one(pipe.writer(), 0));
    write(pipe.writer(), "x", 1);
    check_equal("readable", POLLIN, poll_one(pipe.reader(), POLLIN));
    char byte;
    read(pipe.reader(), &byte, 1);
    uint64_t start = now_ns();
    check_equal("times_out", 0, poll_one(pipe.reader(), POLLIN, 30));
    check("waited", now_ns() - start >= 29000000);
    pid_t child = start_child([&] {
        sleep_ms(20);
        return write(pipe.writer(), "w", 1) == 1 ? 0 : 1;
    });
    check_equal("woken", POLLIN, poll_one(pipe.reader(), POLLIN, 10000));
    wait_status(child);
    read(pipe.reader(), &byte, 1);
    child = start_child([&] {
        pipe.close_writer();
        return poll_one(pipe.reader(), POLLIN, 10000) == POLLHUP ? 0 : 1;
    });
    sleep_ms(20);
    pipe.close_writer();
    check_exited("hang_up_wakes", 0, wait_status(child));
    check_equal("hang_up_unasked", POLLHUP, poll_one(pipe.reader(), 0));
    Pipe other(O_NONBLOCK);
    fill_pipe(other.writer());
    check_equal("full", 0, poll_one(other.writer(), POLLOUT));
    other.close_reader();
    check("no_reader", (poll_one(other.writer(), POLLOUT) & POLLERR) != 0);
    check_equal("closed_descriptor", POLLNVAL, poll_one(900, POLLIN));
    check_equal("negative_is_skipped", 0, poll_one(-1, POLLIN));
    int fd = make_file("file", 1);
    check_equal("file", POLLIN | POLLOUT, poll_one(fd, POLLIN | POLLOUT));
    pollfd three[3] = {{fd, POLLIN, 0}, {-1, POLLIN, 9}, {900, POLLIN, 0}};
    check_equal("counts_entries", 2, poll(three, 3, -1));
    check_equal("skipped_is_cleared", 0, three[1].revents);
    start = now_ns();
    check_equal("nothing", 0, poll(nullptr, 0, 20));
    check("nothing_waited", now_ns() - start >= 19000000);
    timespec moment = {0, 10000000};
    check_equal("ppoll", 1, ppoll(three, 1, &moment, nullptr));
    timespec wrong = {0, 1000000000};
    check_fails("ppoll_time", EINVAL, ppoll(three, 1, &wrong, nullptr));
    close(fd);
}

void test_select() {
    Pipe pipe;
    timeval zero = {0, 0};
    fd_set readers, writers;
    auto set = [&](fd_set& fds, int fd) {
        FD_ZERO(&fds);
        FD_SET(fd, &fds);
    };
    int limit = std::max(pipe.reader(), pipe.writer()) + 1;
    set(readers, pipe.reader());
    set(writers, pipe.writer());
    check_equal("writer_ready", 1, select(limit, &readers, &writers, nullptr, &zero));
    check("reader_cleared", !FD_ISSET(pipe.reader(), &readers));
    check("writer_set", FD_ISSET(pipe.writer(), &writers));
    write(pipe.writer(), "x", 1);
    set(readers, pipe.reader());
    check_equal("both_ready", 2, select(limit, &readers, &writers, nullptr, nullptr));
    char byte;
    read(pipe.reader(), &byte, 1);
    set(readers, pipe.reader());
    timeval moment = {0, 30000};
    uint64_t start = now_ns();
    check_equal("times_out", 0, select(limit, &readers, nullptr, nullptr, &moment));
    check("waited", now_ns() - start >= 29000000);
    moment = {0, 20000};
    start = now_ns();
    check_equal("only_sleeps", 0, select(0, nullptr, nullptr, nullptr, &moment));
    check("slept", now_ns() - start >= 19000000);
    pid_t child = start_child([&] {
        sleep_ms(20);
        return write(pipe.writer(), "w", 1) == 1 ? 0 : 1;
    });
    set(readers, pipe.reader());
    check_equal("woken", 1, select(limit, &readers, nullptr, nullptr, nullptr));
    wait_status(child);
    pipe.close_writer();
    read(pipe.reader(), &byte, 1);
    set(readers, pipe.reader());
    check_equal("end_is_readable", 1, select(limit, &readers, nullptr, nullptr, &zero));
    check_fails("negative", EINVAL, select(-1, nullptr, nullptr, nullptr, &zero));
    set(readers, 200);
    check_fails("closed_descriptor", EBADF, select(201, &readers, nullptr, nullptr, &zero));
    moment = {-1, 0};
    check_fails("negative_time", EINVAL, select(0, nullptr, nullptr, nullptr, &moment));
    timespec none = {0, 0};
    set(readers, pipe.reader());
    check_equal("pselect", 1, pselect(limit, &readers, nullptr, nullptr, &none, nullptr));
}
