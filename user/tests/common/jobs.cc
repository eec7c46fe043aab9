// Job control as a user meets it: shells on a PTY, typed to character by character.
//
//   jobs [SHELL...]   busybox's ash and, where it is installed, /bin/mello-sh
//
// Commands are typed with quotes inside of the words that are waited for, so that the echo
// of a command is not taken for its output.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "user/tests/lib/check.h"
#include "user/tests/lib/child.h"
#include "user/tests/lib/session.h"

namespace {

const char* self_path;

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
    session.resize(33, 77);
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
