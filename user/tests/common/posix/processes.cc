// Processes: fork and what it copies, vfork, waiting, groups and sessions, user ids.
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>

#include <initializer_list>

#include "user/tests/common/posix/posix.h"

namespace {

int global = 1;

void test_copies() {
    static char page_of_data[kPage];
    auto* heap = static_cast<char*>(malloc(100000));
    char* mapping = map_pages(20);
    char on_stack[100];
    memset(page_of_data, 'd', sizeof page_of_data);
    memset(heap, 'h', 100000);
    memset(mapping, 'm', 20 * kPage);
    memset(on_stack, 's', sizeof on_stack);
    int status = run_child([&] {
        if (!all_bytes(heap, 100000, 'h') || !all_bytes(mapping, 20 * kPage, 'm')) return 1;
        if (!all_bytes(page_of_data, kPage, 'd') || global != 1) return 2;
        memset(page_of_data, 0, sizeof page_of_data);
        memset(heap, 0, 100000);
        memset(mapping, 0, 20 * kPage);
        memset(on_stack, 0, sizeof on_stack);
        global = 2;
        return all_bytes(mapping, 20 * kPage, 0) ? 0 : 3;
    });
    check_exited("child_has_a_copy", 0, status);
    check("data_untouched", all_bytes(page_of_data, kPage, 'd') && global == 1);
    check("heap_untouched", all_bytes(heap, 100000, 'h'));
    check("mapping_untouched", all_bytes(mapping, 20 * kPage, 'm'));
    check("stack_untouched", all_bytes(on_stack, sizeof on_stack, 's'));
    // The other way round: the parent writes while the child looks on.
    int ends[2];
    if (pipe(ends) != 0) return;
    pid_t child = start_child([&] {
        char byte;
        if (read(ends[0], &byte, 1) != 1) return 1;
        return all_bytes(mapping, 20 * kPage, 'm') ? 0 : 2;
    });
    memset(mapping, 'n', 20 * kPage);
    write(ends[1], "x", 1);
    check_exited("child_does_not_see_the_parent", 0, wait_status(child));
    close(ends[0]);
    close(ends[1]);
    munmap(mapping, 20 * kPage);
    free(heap);
}

int nest(int depth) {
    if (depth == 0) return 0;
    int status = run_child([depth] { return nest(depth - 1) + 1; });
    return WIFEXITED(status) ? WEXITSTATUS(status) : 200;
}

void test_many() {
    constexpr int kMany = 60;
    pid_t children[kMany];
    for (int i = 0; i < kMany; i++) {
        children[i] = start_child([i] {
            sched_yield();
            return i;
        });
    }
    int wrong = 0;
    for (int i = kMany - 1; i >= 0; i--) {
        int status = wait_status(children[i]);
        wrong += status == -1 || WEXITSTATUS(status) != i;
    }
    check_equal("many_at_once", 0, wrong);
    wrong = 0;
    for (int i = 0; i < 300; i++) wrong += run_child([i] { return i & 0x7f; }) != (i & 0x7f) << 8;
    check_equal("many_in_a_row", 0, wrong);
    check_equal("nested", 20, nest(20));
}

}  // namespace

void test_fork() {
    pid_t self = getpid();
    int ends[2];
    if (pipe(ends) != 0) return;
    pid_t child = start_child([&] {
        pid_t own[2] = {getpid(), getppid()};
        return write(ends[1], own, sizeof own) == sizeof own ? 0 : 1;
    });
    pid_t told[2] = {};
    check_equal("tells", sizeof told, read(ends[0], told, sizeof told));
    check_equal("pid", child, told[0]);
    check_equal("parent_pid", self, told[1]);
    check("pid_differs", child != self);
    check_exited("child", 0, wait_status(child));
    close(ends[0]);
    close(ends[1]);
    test_copies();
    test_many();
    // What is inherited and what is not.
    umask(031);
    check_exited("umask_inherited", 031, run_child([] { return static_cast<int>(umask(0)); }));
    umask(022);
    alarm(1000);
    check_exited("alarm_not_inherited", 0,
                 run_child([] { return static_cast<int>(alarm(0)); }));
    check("alarm_stays", alarm(0) > 900);
    signal(SIGUSR1, SIG_IGN);
    check_exited("ignored_inherited", 5, run_child([] { return raise(SIGUSR1), 5; }));
    signal(SIGUSR1, SIG_DFL);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    raise(SIGUSR2);
    check_exited("pending_not_inherited", 0, run_child([] {
                     sigset_t pending, own;
                     sigpending(&pending);
                     sigprocmask(SIG_BLOCK, nullptr, &own);
                     if (!sigismember(&own, SIGUSR2)) return 1;
                     return sigismember(&pending, SIGUSR2) ? 2 : 0;
                 }));
    signal(SIGUSR2, SIG_IGN);
    sigprocmask(SIG_UNBLOCK, &set, nullptr);
    signal(SIGUSR2, SIG_DFL);
}

namespace {

// In functions of their own: a vforked child may change only what the parent expects.
volatile int vfork_value = 0;

[[gnu::noinline]] int vfork_and_exit() {
    pid_t pid = vfork();
    if (pid == 0) {
        sleep_ms(20);
        vfork_value = 9;
        _exit(4);
    }
    int seen = vfork_value;  // the parent went on only after the child's end
    return seen == 9 ? wait_status(pid) : -1;
}

[[gnu::noinline]] int vfork_and_exec(const char* path, char* const* arguments,
                                     char* const* environment) {
    pid_t pid = vfork();
    if (pid == 0) {
        execve(path, arguments, environment);
        _exit(101);
    }
    return wait_status(pid);
}

[[gnu::noinline]] int vfork_and_die() {
    pid_t pid = vfork();
    if (pid == 0) {
        kill(getpid(), SIGKILL);
        _exit(1);
    }
    return wait_status(pid);
}

}  // namespace

void test_vfork() {
    check_exited("exit", 4, vfork_and_exit());
    char program[] = "posix", what[] = "exec-child", status[] = "status", seven[] = "7";
    char* arguments[] = {program, what, status, seven, nullptr};
    char* environment[] = {nullptr};
    check_exited("exec", 7, vfork_and_exec(own_path(), arguments, environment));
    check_exited("exec_fails", 101, vfork_and_exec("/missing", arguments, environment));
    check_killed("killed", SIGKILL, vfork_and_die());
    for (int i = 0; i < 20; i++) {
        if (WEXITSTATUS(vfork_and_exec(own_path(), arguments, environment)) != 7) {
            check_failed("again", Where::current(), "the %d. time went wrong", i);
            return;
        }
    }
    check_passed("again");
}

void test_wait() {
    int status = 0;
    check_fails("no_children", ECHILD, waitpid(-1, &status, 0));
    check_fails("no_children_nohang", ECHILD, waitpid(-1, &status, WNOHANG));
    check_fails("not_my_child", ECHILD, waitpid(1, &status, 0));
    check_fails("options", EINVAL, waitpid(-1, &status, 0x80));
    for (int code : {0, 1, 127, 255}) {
        check_exited("exit_code", code, run_child([code] { return code; }));
    }
    check_exited("exit_code_is_a_byte", 0x34, run_child([] { return 0x1234; }));
    check_killed("signal", SIGKILL, run_child([] { return kill(getpid(), SIGKILL); }));

    int ends[2];
    if (pipe(ends) != 0) return;
    pid_t child = start_child([&] {
        char byte;
        close(ends[1]);
        return static_cast<int>(read(ends[0], &byte, 1)) + 8;
    });
    check_equal("running", 0, waitpid(child, &status, WNOHANG));
    check_equal("running_any", 0, waitpid(-1, &status, WNOHANG));
    check_works("alive", kill(child, 0));
    write(ends[1], "x", 1);
    check_equal("ended", child, waitpid(child, &status, 0));
    check_exited("ended_status", 9, status);
    check_fails("waited_for", ECHILD, waitpid(child, &status, 0));
    check_fails("gone", ESRCH, kill(child, 0));

    child = start_child([] { return 3; });
    sleep_ms(30);
    check_works("zombie_exists", kill(child, 0));
    check_equal("zombie", child, waitpid(0, &status, 0));
    child = start_child([] { return 3; });
    rusage usage;
    memset(&usage, 0xff, sizeof usage);
    check_equal("usage", child, wait4(child, &status, 0, &usage));
    check("usage_filled", usage.ru_utime.tv_sec >= 0 && usage.ru_utime.tv_sec < 100);
    check_works("null_status", waitpid(start_child([] { return 1; }), nullptr, 0));

    // By process group.
    child = start_child([] {
        setpgid(0, 0);
        return 6;
    });
    setpgid(child, child);
    pid_t own = start_child([] { return 7; });
    check_equal("group", child, waitpid(-child, &status, 0));
    check_equal("own_group", own, waitpid(0, &status, 0));
    // Children of a dead parent get another one, and do not become ours.
    char told[4] = {};
    check_exited("orphan_maker", 0, run_child([&] {
                     start_child([&] {
                         pid_t parent = getppid();
                         for (int i = 0; i < 5000 && getppid() == parent; i++) sleep_ms(1);
                         return static_cast<int>(write(ends[1], "oo", 1));
                     });
                     sleep_ms(5);
                     return 0;
                 }));
    check_equal("orphan_lives", 1, read(ends[0], told, 1));
    check_fails("orphan_is_not_mine", ECHILD, waitpid(-1, &status, 0));
    // Whoever ignores SIGCHLD has no zombies.
    signal(SIGCHLD, SIG_IGN);
    child = start_child([] { return 0; });
    check_fails("ignored_sigchld", ECHILD, waitpid(child, &status, 0));
    signal(SIGCHLD, SIG_DFL);
    child = start_child([] { return sleep_ms(10000), 0; });
    kill(child, SIGTERM);
    check_killed("terminated", SIGTERM, wait_status(child));
    close(ends[0]);
    close(ends[1]);
}

void test_sessions() {
    check_equal("group_of_self", getpgrp(), getpgid(0));
    check_equal("session_of_self", getsid(0), getsid(getpid()));
    check_exited("new_group", 0, run_child([] {
                     if (setpgid(0, 0) != 0 || getpgrp() != getpid()) return 1;
                     return getpgid(getppid()) != getpid() ? 0 : 2;
                 }));
    check_exited("new_session", 0, run_child([] {
                     if (setsid() != getpid() || getpgrp() != getpid()) return 1;
                     if (getsid(0) != getpid()) return 2;
                     if (setsid() != -1 || errno != EPERM) return 3;
                     return setpgid(0, 0) == -1 && errno == EPERM ? 0 : 4;
                 }));
    check_exited("leader_of_a_group", 0, run_child([] {
                     setpgid(0, 0);
                     return setsid() == -1 && errno == EPERM ? 0 : 1;
                 }));
    check_fails("group_of_nobody", ESRCH, getpgid(999999));
    check_fails("session_of_nobody", ESRCH, getsid(999999));
    check_fails("negative_group", EINVAL, setpgid(0, -1));
    check_fails("not_a_child", ESRCH, setpgid(1, 1));
    check_exited("kill_group", 0, run_child([] {
                     setpgid(0, 0);
                     signal(SIGTERM, SIG_IGN);
                     pid_t child = start_child([] {
                         signal(SIGTERM, SIG_DFL);
                         sleep_ms(10000);
                         return 0;
                     });
                     sleep_ms(30);
                     kill(0, SIGTERM);
                     int status = wait_status(child);
                     return WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM ? 0 : 1;
                 }));
    check_fails("kill_nobody", ESRCH, kill(999999, 0));
    check_fails("kill_no_group", ESRCH, kill(-999999, 0));
    check_fails("kill_signal", EINVAL, kill(getpid(), 65));
}

void test_identity() {
    check_equal("root", 0, getuid());
    check_equal("effective_root", 0, geteuid());
    check_equal("root_group", 0, getgid());
    // Root stays root here; on Linux it may become others, which is not tried.
    uid_t real = 1, effective = 1, saved = 1;
    check_works("getresuid", getresuid(&real, &effective, &saved));
    check("getresuid_root", real == 0 && effective == 0 && saved == 0);
    check_works("getresgid", getresgid(&real, &effective, &saved));
    check_works("setuid_same", setuid(0));
    check_works("setgid_same", setgid(0));
    check_works("setreuid_unchanged", setreuid(-1, 0));
    check_works("setresuid_unchanged", setresuid(-1, -1, -1));
    check_works("setgroups_none", setgroups(0, nullptr));
    check("getgroups", getgroups(0, nullptr) >= 0);
    check_fails("getgroups_negative", EINVAL, getgroups(-1, nullptr));
    check_equal("thread_id", getpid(), syscall(SYS_gettid));
    check_equal("set_tid_address", getpid(), syscall(SYS_set_tid_address, &global));
    char name[17] = {};
    check_works("set_name", prctl(PR_SET_NAME, "a name of its own, too long"));
    check_works("get_name", prctl(PR_GET_NAME, name));
    check_text("name_is_cut", "a name of its o", name);
    check_fails("prctl_unknown", EINVAL, prctl(99999, 0, 0, 0, 0));
}
