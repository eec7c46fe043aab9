// A PTY pair for tests: opened as any program does it, so the tests run on Linux as well.
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "user/tests/lib/check.h"
#include "user/tests/lib/child.h"
#include "user/tests/lib/report.h"

inline uint64_t now_us() {
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<uint64_t>(time.tv_sec) * 1'000'000 +
           static_cast<uint64_t>(time.tv_nsec) / 1000;
}

inline void sleep_ms(unsigned ms) { poll(nullptr, 0, static_cast<int>(ms)); }

// What poll(2) says of `fd` for `events`, waiting at most `ms`.
inline int poll_for(int fd, int events, int ms = 0) {
    pollfd one = {fd, static_cast<short>(events), 0};
    int ready = poll(&one, 1, ms);
    return ready < 0 ? -errno : one.revents;
}

// Opens a master; its slave is unlocked. -1 after a failed check.
inline int open_master(int flags = 0) {
    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | flags);
    int unlocked = 0;
    if (master < 0) {
        check_failed("open_ptmx", Where::current(), "expected a pair, got %s", error_name(errno));
    } else if (ioctl(master, TIOCSPTLCK, &unlocked) != 0) {
        check_failed("unlock", Where::current(), "got %s", error_name(errno));
    }
    return master;
}

inline int pair_number(int master) {
    int number = -1;
    return ioctl(master, TIOCGPTN, &number) == 0 ? number : -1;
}

inline int open_slave(int master, int flags = O_NOCTTY) {
    char name[32];
    snprintf(name, sizeof name, "/dev/pts/%d", pair_number(master));
    return open(name, O_RDWR | flags);
}

inline void make_raw(int slave, unsigned char min = 1, unsigned char time = 0) {
    struct termios t;
    tcgetattr(slave, &t);
    t.c_iflag = t.c_oflag = t.c_lflag = 0;
    t.c_cc[VMIN] = min;
    t.c_cc[VTIME] = time;
    if (tcsetattr(slave, TCSANOW, &t) != 0)
        check_failed("tcsetattr", Where::current(), "got %s", error_name(errno));
}

inline void set_nonblocking(int fd, bool on = true) {
    int flags = fcntl(fd, F_GETFL);
    fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

struct Pair {
    int master, slave;
    explicit Pair(bool raw = true) : master(open_master()), slave(open_slave(master)) {
        if (slave < 0 && master >= 0)
            check_failed("open_slave", Where::current(), "got %s", error_name(errno));
        if (raw && slave >= 0) make_raw(slave);
    }
    ~Pair() {
        close_slave();
        close_master();
    }
    bool works() const { return slave >= 0; }
    void close_master() { close_one(master); }
    void close_slave() { close_one(slave); }

  private:
    static void close_one(int& fd) {
        if (fd >= 0) close(fd);
        fd = -1;
    }
};

inline bool put_all(int fd, const void* bytes, size_t size) {
    auto* at = static_cast<const char*>(bytes);
    while (size > 0) {
        ssize_t put = write(fd, at, size);
        if (put <= 0) return false;
        at += put;
        size -= static_cast<size_t>(put);
    }
    return true;
}

// Reads `size` bytes, waiting for them at most two seconds each time; how many came.
inline size_t get_all(int fd, void* bytes, size_t size) {
    auto* at = static_cast<char*>(bytes);
    size_t done = 0;
    while (done < size && (poll_for(fd, POLLIN, 2000) & POLLIN) != 0) {
        ssize_t got = read(fd, at + done, size - done);
        if (got <= 0) break;
        done += static_cast<size_t>(got);
    }
    return done;
}
