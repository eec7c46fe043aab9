// Job control as a user meets it: shells on a PTY, typed to character by character.
//
//   jobs [SHELL...]   busybox's ash and, where it is installed, /bin/mello-sh
//
// Nothing here waits for a time to pass, only for output, for the end of processes and for
// the foreground to change. What a session leaves behind shows in a pipe: each process of the
// session has its writing end, so its end of file is the death of the last one.
//
// Commands are typed with quotes inside of the words that are waited for, so that the echo of
// a command is not taken for its output.
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>

#include <initializer_list>

#include "user/tests/lib/check.h"
#include "user/tests/lib/child.h"

namespace {

constexpr int kPatienceMs = 20000;
constexpr char kInterrupt = 'C' & 0x1f, kStop = 'Z' & 0x1f, kQuit = '\\' & 0x1f, kEnd = 'D' & 0x1f;
const char* self_path;

// A shell as leader of a session on a new PTY.
class Session {
  public:
    explicit Session(const char* shell) {
        int ends[2] = {-1, -1};
        check_works("pipe", pipe(ends));
        lives_ = ends[0];
        master_ = posix_openpt(O_RDWR | O_NOCTTY);
        check_works("unlock", unlockpt(master_));
        char name[64];
        snprintf(name, sizeof name, "%s", ptsname(master_));
        shell_ = start_child([&] { return become_shell(shell, name); });
        close(ends[1]);
        expect("prompt", "$ ");
    }
    ~Session() {
        if (master_ >= 0) hang_up();
        if (shell_ > 0 && failed_) kill(shell_, SIGKILL);
        if (shell_ > 0) wait_status(shell_);
        close(lives_);
    }

    pid_t shell() const { return shell_; }
    int master() const { return master_; }
    void shell_is_gone() { shell_ = -1; }

    void type(const char* keys) {
        for (; *keys != 0; ++keys) type(*keys);
    }
    void type(char key) { check_equal("typed", 1, write(master_, &key, 1)); }

    // Reads until `text` comes, after what was waited for before.
    // After a failure all else in the session fails at once.
    bool expect(const char* name, const char* text) {
        while (!failed_) {
            if (char* at = strstr(seen_, text)) {
                at += strlen(text);
                length_ -= at - seen_;
                memmove(seen_, at, length_ + 1);
                return check(name, true);
            }
            pollfd wanted = {master_, POLLIN, 0};
            if (poll(&wanted, 1, kPatienceMs) != 1) break;
            if (length_ > sizeof seen_ / 2) {  // a waited-for text is shorter than a half
                memmove(seen_, seen_ + length_ / 2, length_ - length_ / 2);
                length_ -= length_ / 2;
            }
            ssize_t got = read(master_, seen_ + length_, sizeof seen_ - 1 - length_);
            if (got <= 0) break;
            for (ssize_t i = 0; i < got; i++)  // so that it stays one string
                if (seen_[length_ + i] == 0) seen_[length_ + i] = '?';
            length_ += got;
            seen_[length_] = 0;
        }
        failed_ = true;
        check_failed(name, Where::current(), "waited for \"%s\", got \"%s\"", text, seen_);
        return false;
    }
    // A command and what must come of it; then the shell's prompt.
    void expect_of(const char* name, const char* command, const char* text) {
        type(command);
        type('\n');
        expect(name, text);
        expect(name, "$ ");
    }
    // A job in the foreground that says when it is there.
    void run_job(const char* name) {
        type("sh -c 'echo run''ning; exec sleep 100'\n");
        expect(name, "running");
    }
    void stop_job(const char* name) {
        run_job(name);
        type(kStop);
        expect(name, "$ ");
    }

    // Until a job has the terminal: what is typed earlier finds the shell's line editor.
    void await_foreground() {
        while (!failed_ && tcgetpgrp(master_) == shell_) usleep(1000);
    }

    void hang_up() {
        close(master_);
        master_ = -1;
    }
    bool everybody_ends() {
        pollfd wanted = {lives_, POLLIN, 0};
        return poll(&wanted, 1, kPatienceMs) == 1 && (wanted.revents & POLLHUP) != 0;
    }

  private:
    int become_shell(const char* shell, const char* terminal) {
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
        setenv("PS1", "$ ", 1);
        setenv("PATH", "/bin:/usr/bin:/sbin", 1);
        setenv("HOME", "/tmp", 1);
        check_works("chdir", chdir("/tmp"));
        unsetenv("ENV");
        if (strcmp(shell, "ash") == 0) execlp("/bin/busybox", "ash", "-i", nullptr);
        else execlp(shell, shell, "-i", nullptr);
        return 127;
    }

    int master_ = -1, lives_ = -1;
    pid_t shell_ = -1;
    bool failed_ = false;
    char seen_[8192] = {};
    size_t length_ = 0;
};

void test_stop_and_continue(const char* shell) {
    Session session(shell);
    session.run_job("runs");
    check("job_is_foreground", tcgetpgrp(session.master()) != session.shell());
    session.type(kStop);
    session.expect("stopped", "$ ");
    check_equal("shell_is_foreground", session.shell(), tcgetpgrp(session.master()));
    session.expect_of("jobs_stopped", "jobs", "Stopped");
    session.expect_of("bg", "bg", "sleep 100");
    session.expect_of("jobs_running", "jobs", "Running");
    session.type("fg\n");
    session.await_foreground();
    session.type(kInterrupt);
    session.expect("interrupted", "$ ");
    session.expect_of("interrupt_status", "echo st''atus $?", "status 130\r\n");
    // Not through a shell: between its echo and its exec it may ignore SIGQUIT.
    session.type(self_path);
    session.type(" nap\n");
    session.expect("nap_runs", "napping");
    session.type(kQuit);
    session.expect("quit", "$ ");
    session.expect_of("quit_status", "echo st''atus $?", "status 131\r\n");
    session.expect_of("jobs_none", "jobs; echo no''more", "nomore\r\n");
}

// `fg` of a stopped program that copies lines: it reads again, also what is typed in parts,
// and ends with its input.
void continue_reader(Session& session, const char* name) {
    session.type("fg\n");
    session.await_foreground();
    session.type("wo");
    session.expect(name, "wo");
    session.type("rd\n");
    session.expect(name, "rd\r\n");
    session.expect(name, "word\r\n");
    session.type(kEnd);
    session.expect(name, "$ ");
}

void test_pipeline(const char* shell) {
    Session session(shell);
    session.expect_of("yes_head", "yes wo''rd | head -n 1; echo st''atus $?",
                      "word\r\nstatus 0\r\n");
    session.type("/bin/cat | /bin/cat\n");  // not busybox's own, which splices on Linux
    session.await_foreground();
    session.type("one\n");
    session.expect("pipeline_input", "one\r\n");
    session.expect("pipeline_runs", "one\r\n");
    session.type(kStop);
    session.expect("pipeline_stopped", "$ ");
    continue_reader(session, "pipeline_goes_on");
}

// Asks `jobs` until one is stopped: by SIGTTIN or SIGTTOU, some time after it was started.
void expect_stopped(Session& session, const char* name) {
    session.expect_of(name, "until jobs > jobs.$$; grep -q St jobs.$$; do :; done; rm jobs.$$; jobs",
                      "Stopped");
}

void test_background(const char* shell) {
    Session session(shell);
    session.type("cat &\n");
    session.expect("cat_started", "$ ");
    expect_stopped(session, "cat_stopped");
    continue_reader(session, "cat_goes_on");
    session.type("stty tostop; sh -c 'echo out''put' &\n");
    session.expect("writer_started", "$ ");
    expect_stopped(session, "writer_stopped");
    session.type("fg\n");
    session.expect("writer_wrote", "output\r\n");
    session.expect("writer_ended", "$ ");
    session.expect_of("writer_allowed", "stty -tostop; sh -c 'echo out''put' & wait", "output\r\n");
}

void test_resize(const char* shell) {
    Session session(shell);
    session.type(self_path);
    session.type(" winch\n");
    session.expect("watcher", "watching");
    winsize size = {33, 77, 0, 0};
    check_works("resize", ioctl(session.master(), TIOCSWINSZ, &size));
    session.expect("resized", "77x33\r\n");
    session.expect("watcher_ended", "$ ");
}

void test_hangup(const char* shell) {
    {
        Session session(shell);
        session.stop_job("stopped_before_hangup");
        session.run_job("foreground_before_hangup");
        session.hang_up();
        check("hangup_ends_the_session", session.everybody_ends());
    }
    Session session(shell);
    session.stop_job("stopped_before_kill");
    kill(session.shell(), SIGKILL);
    check_killed("shell_killed", SIGKILL, wait_status(session.shell()));
    session.shell_is_gone();
    check("orphans_end", session.everybody_ends());
}

int watch_size() {
    sigset_t winch;
    sigemptyset(&winch);
    sigaddset(&winch, SIGWINCH);
    sigprocmask(SIG_BLOCK, &winch, nullptr);
    puts("watching");
    fflush(stdout);
    winsize size = {};
    int signal = 0;
    sigwait(&winch, &signal);
    ioctl(0, TIOCGWINSZ, &size);
    printf("%ux%u\n", size.ws_col, size.ws_row);
    return 0;
}

int nap() {
    puts("napping");
    fflush(stdout);
    return pause();
}

void test_shell(const char* shell) {
    check_group(shell);
    test_stop_and_continue(shell);
    test_pipeline(shell);
    test_background(shell);
    test_resize(shell);
    test_hangup(shell);
}

}  // namespace

int main(int argc, char** argv) {
    static char path[4096];
    if (argc > 1 && strcmp(argv[1], "winch") == 0) return watch_size();
    if (argc > 1 && strcmp(argv[1], "nap") == 0) return nap();
    if (readlink("/proc/self/exe", path, sizeof path - 1) < 0) strcpy(path, argv[0]);
    self_path = path;
    check_quietly(true);
    for (int i = 1; i < argc; i++) test_shell(argv[i]);
    if (argc == 1) {
        test_shell("ash");
        if (access("/bin/mello-sh", X_OK) == 0) test_shell("/bin/mello-sh");
    }
    return check_summary("jobs");
}
