// Job control by its rules, one by one: who may use a terminal, whom it stops, and who is
// told. (How it feels to somebody who types is /tests/jobs.)
//
// Each test is a session of its own on a new pair: its leader has the terminal, and processes
// in other groups try to use it. Reported: `terminal_words`, of what a job in the background
// read from the terminal after it came to the foreground.
// Host data: `terminal_seed`.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>

#include <initializer_list>

#include "user/tests/6-signals/handlers.h"
#include "user/tests/lib/check.h"
#include "user/tests/lib/child.h"
#include "user/tests/lib/report.h"

namespace {

int master;

// Runs `body` as the leader of a session whose terminal is a new pair, with it as fd 0.
template <typename Body>
void in_session(const char* name, Body&& body) {
    master = posix_openpt(O_RDWR | O_NOCTTY);
    unlockpt(master);
    static char path[64];
    snprintf(path, sizeof path, "%s", ptsname(master));
    check_exited(name, 0, run_child([&] {
        setsid();
        int slave = open(path, O_RDWR);
        if (slave < 0 || ioctl(slave, TIOCSCTTY, 0) != 0) return 100;
        dup2(slave, 0);
        return body();
    }));
    close(master);
}

// A child in a group of its own, in the background.
template <typename Body>
pid_t start_job(Body&& body) {
    pid_t child = start_child([&] {
        setpgid(0, 0);
        return body();
    });
    setpgid(child, child);
    return child;
}

// The signal that stopped the child, 0 when it ended instead.
int stopped_by(pid_t child) {
    int status = 0;
    while (waitpid(child, &status, WUNTRACED) < 0 && errno == EINTR) {}
    return WIFSTOPPED(status) ? WSTOPSIG(status) : 0;
}

void end_job(pid_t child) {
    kill(child, SIGKILL);
    wait_status(child);
}

// ---- who may use the terminal ----

uint64_t word;

void test_background_read() {
    int answer[2];
    check_works("terminal.pipe", pipe(answer));
    in_session("terminal.background_read", [&] {
        pid_t job = start_job([&] {
            char line[64];
            ssize_t got = read(0, line, sizeof line);
            if (got <= 0) return 1;
            return write(answer[1], line, static_cast<size_t>(got)) == got ? 0 : 2;
        });
        if (stopped_by(job) != SIGTTIN) return 10;
        if (tcsetpgrp(0, job) != 0) return 11;
        char line[64];
        int length = snprintf(line, sizeof line, "%lx\n", word);
        if (write(master, line, static_cast<size_t>(length)) != length) return 12;
        kill(job, SIGCONT);
        int status = wait_status(job);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 13;
    });
    char line[64] = {};
    close(answer[1]);
    ssize_t got = read(answer[0], line, sizeof line);
    report("terminal_words", "%.*s", got > 0 ? static_cast<int>(got - 1) : 0, line);
    close(answer[0]);
}

void test_background_read_ignored() {
    in_session("terminal.read_with_ttin_ignored", [] {
        pid_t job = start_job([] {
            char byte;
            signal(SIGTTIN, SIG_IGN);
            if (read(0, &byte, 1) != -1 || errno != EIO) return 20;
            signal(SIGTTIN, SIG_DFL);
            sigset_t set;
            sigemptyset(&set);
            sigaddset(&set, SIGTTIN);
            sigprocmask(SIG_BLOCK, &set, nullptr);
            return read(0, &byte, 1) == -1 && errno == EIO ? 0 : 21;
        });
        int status = wait_status(job);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 22;
    });
}

void test_background_write() {
    in_session("terminal.background_write", [] {
        pid_t job = start_job([] { return write(0, "x", 1) == 1 ? 0 : 1; });
        if (wait_status(job) != 0) return 30;  // without TOSTOP anybody may write
        termios modes;
        tcgetattr(0, &modes);
        modes.c_lflag |= TOSTOP;
        if (tcsetattr(0, TCSANOW, &modes) != 0) return 31;
        job = start_job([] { return write(0, "x", 1) == 1 ? 0 : 1; });
        if (stopped_by(job) != SIGTTOU) return 32;
        end_job(job);
        job = start_job([] {
            signal(SIGTTOU, SIG_IGN);
            return write(0, "x", 1) == 1 ? 0 : 1;
        });
        if (wait_status(job) != 0) return 33;
        job = start_job([] {  // setting up counts as writing, TOSTOP or not
            termios same;
            tcgetattr(0, &same);
            return tcsetattr(0, TCSANOW, &same);
        });
        if (stopped_by(job) != SIGTTOU) return 34;
        end_job(job);
        return 0;
    });
}

void test_foreground_group() {
    in_session("terminal.foreground_group", [] {
        if (tcgetpgrp(0) != getpgrp()) return 40;
        if (tcsetpgrp(0, 999'999) != -1 || errno != ESRCH) return 41;
        pid_t parent_group = getpgid(getppid());
        if (tcsetpgrp(0, parent_group) != -1 || errno != EPERM) return 42;
        pid_t job = start_job([] { return pause(); });
        if (tcsetpgrp(0, job) != 0 || tcgetpgrp(0) != job) return 43;
        if (write(master, "\3", 1) != 1) return 44;  // Ctrl-C
        int status = wait_status(job);
        return WIFSIGNALED(status) && WTERMSIG(status) == SIGINT ? 0 : 45;
    });
}

// ---- stops ----

void test_stops() {
    in_session("stop.by_key", [] {
        pid_t job = start_job([] { return pause(); });
        tcsetpgrp(0, job);
        if (write(master, "\x1a", 1) != 1) return 50;  // Ctrl-Z
        if (stopped_by(job) != SIGTSTP) return 51;
        int status = 0;
        kill(job, SIGTERM);  // waits until it goes on
        if (waitpid(job, &status, WNOHANG | WUNTRACED) != 0) return 52;
        kill(job, SIGCONT);
        status = wait_status(job);
        return WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM ? 0 : 53;
    });
    in_session("stop.kill_works_on_stopped", [] {
        pid_t job = start_job([] { return pause(); });
        kill(job, SIGSTOP);
        if (stopped_by(job) != SIGSTOP) return 54;
        kill(job, SIGKILL);
        int status = wait_status(job);
        return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? 0 : 55;
    });
}

// A stop that meets a SIGCONT: the later one counts. The target blocks both, so that they
// cancel each other while pending.
void test_cancelling() {
    in_session("stop.continue_cancels_it", [] {
        pid_t job = start_job([] {
            sigset_t set, pending;
            sigemptyset(&set);
            for (int signal : {SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT}) sigaddset(&set, signal);
            sigprocmask(SIG_BLOCK, &set, nullptr);
            for (int signal : {SIGTSTP, SIGTTIN, SIGTTOU}) kill(getpid(), signal);
            kill(getpid(), SIGCONT);
            sigpending(&pending);
            for (int signal : {SIGTSTP, SIGTTIN, SIGTTOU})
                if (sigismember(&pending, signal)) return 60;
            if (!sigismember(&pending, SIGCONT)) return 61;
            kill(getpid(), SIGTTOU);
            sigpending(&pending);
            if (sigismember(&pending, SIGCONT)) return 62;
            kill(getpid(), SIGCONT);
            sigprocmask(SIG_UNBLOCK, &set, nullptr);
            return 0;
        });
        int status = wait_status(job);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 63;
    });
}

// ---- orphans ----

void test_orphans() {
    in_session("orphan.stop_signals_do_nothing", [] {
        // The session's leader is alone with its group: its parent is of another session.
        for (int signal : {SIGTSTP, SIGTTIN, SIGTTOU}) kill(getpid(), signal);
        int answer[2];
        if (pipe(answer) != 0) return 70;
        pid_t job = start_job([&] {
            pid_t member = start_child([&] {
                while (getppid() != 1) usleep(1000);
                char byte;  // nobody of this session is the parent of anybody here
                char good = read(0, &byte, 1) == -1 && errno == EIO;
                return write(answer[1], &good, 1) == 1 ? 0 : 1;
            });
            return member > 0 ? 0 : 1;
        });
        close(answer[1]);
        char good = 0;
        if (read(answer[0], &good, 1) != 1 || good != 1) return 73;
        return wait_status(job) == 0 ? 0 : 71;
    });
    int lives[2];
    check_works("orphan.pipe", pipe(lives));
    in_session("orphan.stopped_group_is_hung_up", [&] {
        pid_t job = start_job([] {
            pid_t member = start_child([] { return pause(); });
            kill(member, SIGSTOP);
            stopped_by(member);
            return 0;  // ends, and leaves a stopped member without anybody to continue it
        });
        return wait_status(job) == 0 ? 0 : 72;
    });
    // SIGHUP and SIGCONT have ended the member when the pipe's last writing end is closed.
    close(lives[1]);
    char byte;
    check_equal("orphan.member_is_gone", 0, read(lives[0], &byte, 1));
    close(lives[0]);
}

void test_reports() {
    in_session("report.of_stop_and_continue", [] {
        static volatile int told, code, number;
        struct sigaction action {};
        action.sa_flags = SA_SIGINFO;
        action.sa_sigaction = [](int, siginfo_t* info, void*) {
            told = told + 1;
            code = info->si_code;
            number = info->si_status;
        };
        sigaction(SIGCHLD, &action, nullptr);
        pid_t job = start_job([] { return pause(); });
        int status = 0;
        kill(job, SIGTSTP);
        if (stopped_by(job) != SIGTSTP) return 80;
        if (waitpid(job, &status, WNOHANG | WUNTRACED) != 0) return 81;  // told once
        if (told != 1 || code != CLD_STOPPED || number != SIGTSTP) return 82;
        kill(job, SIGCONT);
        while (waitpid(job, &status, WCONTINUED) < 0 && errno == EINTR) {}
        if (!WIFCONTINUED(status)) return 83;
        while (told < 2) usleep(1000);
        if (code != CLD_CONTINUED || number != SIGCONT) return 84;
        action.sa_flags |= SA_NOCLDSTOP;
        sigaction(SIGCHLD, &action, nullptr);
        kill(job, SIGSTOP);
        if (stopped_by(job) != SIGSTOP || told != 2) return 85;
        end_job(job);
        return told == 3 && code == CLD_KILLED ? 0 : 86;
    });
}

}  // namespace

int main() {
    need_handlers();
    word = host_number("terminal_seed", 1);
    test_background_read();
    test_background_read_ignored();
    test_background_write();
    test_foreground_group();
    test_stops();
    test_cancelling();
    test_orphans();
    test_reports();
    return check_summary("terminal");
}
