#include "user/tests/lib/session.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>

#include <algorithm>

#include "user/tests/lib/check.h"
#include "user/tests/lib/child.h"

namespace {

constexpr size_t kShown = 120;  // characters of what came instead of what was waited for

// The end of a wait.
class Limit {
  public:
    // Milliseconds, 0 when it is over.
    int left() const { return static_cast<int>(std::max(end_ - now(), 0l)); }

  private:
    static long now() {
        timespec time;
        clock_gettime(CLOCK_MONOTONIC, &time);
        return time.tv_sec * 1000 + time.tv_nsec / 1'000'000;
    }
    long end_ = now() + kPatienceMs;
};

}  // namespace

Session::Session(const char* shell) {
    if (strcmp(shell, "ash") == 0) start({"/bin/busybox", "ash", "-i", nullptr});
    else start({shell, shell, "-i", nullptr});
    expect("prompt", "$ ");
}

Session::~Session() {
    if (master_ >= 0) hang_up();
    if (shell_ > 0) {
        if (!failed_) failed_ = !check("ends_by_hangup", everybody_ends());
        if (failed_) kill(shell_, SIGKILL);
        wait_status(shell_);
    }
    close(lives_);
}

void Session::start(std::initializer_list<const char*> program) {
    int ends[2] = {-1, -1};
    check_works("pipe", pipe(ends));
    lives_ = ends[0];
    master_ = posix_openpt(O_RDWR | O_NOCTTY);
    check_works("unlock", unlockpt(master_));
    resize(24, 80);
    char name[64];
    snprintf(name, sizeof name, "%s", ptsname(master_));
    shell_ = start_child([&] { return become(program, name); });
    close(ends[1]);
}

int Session::become(std::initializer_list<const char*> program, const char* terminal) {
    setsid();
    int slave = open(terminal, O_RDWR);  // its controlling terminal, as the first one
    for (int fd : {0, 1, 2}) dup2(slave, fd);
    if (slave > 2) close(slave);
    // Linux flushes after it has sent the signal, and may lose the shell's answer to it.
    termios settings;
    tcgetattr(0, &settings);
    settings.c_lflag |= NOFLSH;
    tcsetattr(0, TCSANOW, &settings);
    close(master_);
    close(lives_);
    // Shells keep ignoring what they were started with.
    for (int signal : {SIGINT, SIGQUIT, SIGTERM, SIGPIPE}) ::signal(signal, SIG_DFL);
    clearenv();  // of this machine's user
    setenv("PS1", "$ ", 1);
    setenv("PATH", "/bin:/usr/bin:/sbin", 1);
    setenv("TERM", "linux", 1);
    setenv("HOME", session_home, 1);
    check_works("chdir", chdir(session_home));
    execv(*program.begin(), const_cast<char**>(program.begin() + 1));
    return 127;
}

void Session::press(Key key) {
    auto length = static_cast<long>(key.length);
    check_equal("typed", length, write(master_, key.bytes, key.length));
}

// Takes what the program wrote, waiting for it; false: nothing within the time, or the
// terminal's end.
bool Session::read_some(int patience_ms) {
    pollfd wanted = {master_, POLLIN, 0};
    if (poll(&wanted, 1, patience_ms) != 1) return false;
    if (length_ > sizeof seen_ / 2) {  // a waited-for text is shorter than a half
        memmove(seen_, seen_ + length_ / 2, length_ - length_ / 2);
        length_ -= length_ / 2;
    }
    ssize_t got = read(master_, seen_ + length_, sizeof seen_ - 1 - length_);
    if (got <= 0) return false;
    for (ssize_t i = 0; i < got; i++)  // so that it stays one string
        if (seen_[length_ + i] == 0) seen_[length_ + i] = '?';
    length_ += got;
    seen_[length_] = 0;
    return true;
}

bool Session::expect(const char* name, const char* text, Where where) {
    Limit limit;
    while (!failed_) {
        if (char* at = strstr(seen_, text)) {
            at += strlen(text);
            length_ -= at - seen_;
            memmove(seen_, at, length_ + 1);
            return check(name, true, where);
        }
        if (!read_some(limit.left())) break;
    }
    failed_ = true;
    const char* latest = seen_ + (length_ > kShown ? length_ - kShown : 0);
    check_failed(name, where, "waited for \"%s\", got at last \"%s\"", text, latest);
    return false;
}

void Session::expect_of(const char* name, const char* command, const char* text,
                        Where where) {
    type(command);
    type('\r');
    expect(name, text, where);
    expect(name, "$ ", where);
}

void Session::run_job(const char* name) {
    type("sh -c 'echo run''ning; exec sleep 100'\n");
    expect(name, "running");
}

void Session::stop_job(const char* name) {
    run_job(name);
    type(kStop);
    expect(name, "$ ");
}

void Session::await_foreground() {
    Limit limit;
    while (!failed_ && tcgetpgrp(master_) == shell_) {
        usleep(1000);
        if (limit.left() == 0) failed_ = !check("job_gets_the_terminal", false);
    }
}

void Session::resize(unsigned short rows, unsigned short columns) {
    winsize size = {rows, columns, 0, 0};
    check_works("resize", ioctl(master_, TIOCSWINSZ, &size));
}

int Session::await_end() { return await_end(0, kPatienceMs); }

int Session::end_by(char key) { return await_end(key, 50); }

int Session::await_end(char key, int pause_ms) {
    Limit limit;
    pollfd wanted[] = {{master_, POLLIN, 0}, {lives_, 0, 0}};
    while (!failed_ && limit.left() > 0) {
        if (key != 0) type(key);
        // Its last output must find room. What it says when it ends is of no interest.
        for (int ready = 1; ready == 1 && wanted[1].revents == 0;) {
            ready = poll(wanted, 2, std::min(pause_ms, limit.left()));
            if (wanted[0].revents != 0 && !read_some(0)) wanted[0].fd = -1;
        }
        if (wanted[1].revents == 0) continue;
        int status = wait_status(shell_);
        shell_is_gone();
        return status;
    }
    if (!failed_) failed_ = !check("ends_in_time", false);
    return -1;
}

void Session::hang_up() {
    close(master_);
    master_ = -1;
}

bool Session::everybody_ends() {
    pollfd wanted = {lives_, POLLIN, 0};
    return poll(&wanted, 1, kPatienceMs) == 1 && (wanted.revents & POLLHUP) != 0;
}
