// Signals as far as no handler runs: default actions, ignoring, blocking, wait status, faults.
//
//   signals [stop]      with "stop" also stops, handlers and waiting (lab 6)
//   signals core        dies in crash_inner, called by crash_outer: what does the log say?
//
// Every check runs in a child that should die of something, and looks at its wait status.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <initializer_list>

#include "user/tests/lib/check.h"
#include "user/tests/lib/child.h"
#include "user/tests/lib/futex.h"
#include "user/tests/lib/futex.h"

namespace {

void sleep_ms(long ms) {
    timespec moment = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&moment, nullptr);
}

// --- default actions -------------------------------------------------------------------------

void test_default_actions() {
    for (int signal : {SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGKILL,
                       SIGUSR1, SIGSEGV, SIGUSR2, SIGPIPE, SIGALRM, SIGTERM, SIGSTKFLT, SIGXCPU,
                       SIGXFSZ, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGSYS, 34, 64}) {
        check_killed(signal_name(signal), signal, run_child([&] {
                         kill(getpid(), signal);
                         return 0;
                     }));
    }
    for (int signal : {SIGCHLD, SIGCONT, SIGURG, SIGWINCH}) {
        check_exited(signal_name(signal), 7, run_child([&] {
                         kill(getpid(), signal);
                         return 7;
                     }));
    }
    check_killed("abort", SIGABRT, run_child([]() -> int { abort(); }));
    check_killed("raise", SIGTERM, run_child([] { return raise(SIGTERM); }));
    check_killed("tgkill", SIGUSR1, run_child([] {
                     return static_cast<int>(
                         syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1));
                 }));
}

// --- arguments -------------------------------------------------------------------------------

void test_arguments() {
    check_works("kill_zero_self", kill(getpid(), 0));
    check_fails("kill_no_such_process", ESRCH, kill(999999, SIGTERM));
    check_fails("kill_bad_signal", EINVAL, kill(getpid(), 65));
    check_fails("kill_negative_signal", EINVAL, kill(getpid(), -1));
    check_fails("tgkill_wrong_group", ESRCH, syscall(SYS_tgkill, getpid() + 1, getpid(), 0));
    check_fails("tgkill_bad_id", EINVAL, syscall(SYS_tgkill, -1, getpid(), 0));

    pid_t zombie = start_child([] { return 0; });
    sleep_ms(20);
    check_works("kill_zombie", kill(zombie, SIGTERM));
    check_exited("zombie_keeps_status", 0, wait_status(zombie));
    check_fails("kill_reaped", ESRCH, kill(zombie, SIGTERM));

    struct sigaction action {}, old {};
    action.sa_handler = SIG_IGN;
    check_fails("sigaction_kill", EINVAL, sigaction(SIGKILL, &action, nullptr));
    check_fails("sigaction_stop", EINVAL, sigaction(SIGSTOP, &action, nullptr));
    check_fails("sigaction_65", EINVAL, sigaction(65, &action, nullptr));
    check_works("sigaction_set", sigaction(SIGUSR1, &action, nullptr));
    action.sa_handler = SIG_DFL;
    check_works("sigaction_swap", sigaction(SIGUSR1, &action, &old));
    check("sigaction_old", old.sa_handler == SIG_IGN);
    check_works("sigaction_query", sigaction(SIGUSR1, nullptr, &old));
    check("sigaction_now", old.sa_handler == SIG_DFL);
    check_fails("sigaction_bad_pointer", EFAULT,
                syscall(SYS_rt_sigaction, SIGUSR1, 8l, nullptr, 8l));
    check_fails("sigaction_bad_size", EINVAL,
                syscall(SYS_rt_sigaction, SIGUSR1, nullptr, nullptr, 4l));
}

// --- ignored and blocked ---------------------------------------------------------------------

void test_ignored() {
    check_exited("ignored", 3, run_child([] {
                     signal(SIGTERM, SIG_IGN);
                     kill(getpid(), SIGTERM);
                     return 3;
                 }));
    check_exited("ignored_by_child_of_fork", 4, run_child([] {
                     signal(SIGTERM, SIG_IGN);
                     return WEXITSTATUS(run_child([] {
                         kill(getpid(), SIGTERM);
                         return 4;
                     }));
                 }));
    check_exited("ignored_after_exec", 5, run_child([] {
                     signal(SIGTERM, SIG_IGN);
                     execl("/proc/self/exe", "signals", "self-term", nullptr);
                     return 99;
                 }));
    check_killed("caught_is_default_after_exec", SIGTERM, run_child([] {
                     signal(SIGTERM, [](int) {});
                     execl("/proc/self/exe", "signals", "self-term", nullptr);
                     return 99;
                 }));
    check_exited("ignored_children_leave_no_zombie", 0, run_child([] {
                     signal(SIGCHLD, SIG_IGN);
                     start_child([] { return 0; });
                     return waitpid(-1, nullptr, 0) == -1 && errno == ECHILD ? 0 : 1;
                 }));
}

void test_blocked() {
    sigset_t usr1, pending, old;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    check_exited("blocked_stays_pending", 6, run_child([&] {
                     sigprocmask(SIG_BLOCK, &usr1, nullptr);
                     kill(getpid(), SIGUSR1);
                     sigpending(&pending);
                     return sigismember(&pending, SIGUSR1) ? 6 : 1;
                 }));
    check_killed("unblocking_delivers", SIGUSR1, run_child([&] {
                     sigprocmask(SIG_BLOCK, &usr1, nullptr);
                     kill(getpid(), SIGUSR1);
                     sigprocmask(SIG_UNBLOCK, &usr1, nullptr);
                     return 0;
                 }));
    check_exited("pending_not_inherited_by_fork", 0, run_child([&] {
                     sigprocmask(SIG_BLOCK, &usr1, nullptr);
                     kill(getpid(), SIGUSR1);
                     return WEXITSTATUS(run_child([&] {
                         sigpending(&pending);
                         return sigismember(&pending, SIGUSR1) ? 1 : 0;
                     }));
                 }));
    check_exited("mask_inherited_by_fork", 1, run_child([&] {
                     sigprocmask(SIG_BLOCK, &usr1, nullptr);
                     return WEXITSTATUS(run_child([&] {
                         sigprocmask(SIG_BLOCK, nullptr, &old);
                         return sigismember(&old, SIGUSR1);
                     }));
                 }));
    check_exited("ignoring_drops_pending", 0, run_child([&] {
                     sigprocmask(SIG_BLOCK, &usr1, nullptr);
                     kill(getpid(), SIGUSR1);
                     signal(SIGUSR1, SIG_IGN);
                     signal(SIGUSR1, SIG_DFL);
                     sigprocmask(SIG_UNBLOCK, &usr1, nullptr);
                     return 0;
                 }));
    check_killed("kill_cannot_be_blocked", SIGKILL, run_child([] {
                     sigset_t all;
                     sigfillset(&all);
                     sigprocmask(SIG_SETMASK, &all, nullptr);
                     kill(getpid(), SIGKILL);
                     return 0;
                 }));
    check_fails("sigprocmask_how", EINVAL, sigprocmask(77, &usr1, nullptr));
    check_fails("sigprocmask_bad_pointer", EFAULT,
                syscall(SYS_rt_sigprocmask, SIG_BLOCK, 8l, nullptr, 8l));
    check_fails("sigpending_bad_pointer", EFAULT, syscall(SYS_rt_sigpending, 8l, 8l));
}

// --- SIGPIPE, groups, killing what sleeps ----------------------------------------------------

void test_pipe_signal() {
    auto write_to_nobody = [] {
        int ends[2];
        if (pipe(ends) != 0) return 9;
        close(ends[0]);
        ssize_t put = write(ends[1], "x", 1);
        return put == -1 && errno == EPIPE ? 8 : 1;
    };
    check_killed("sigpipe", SIGPIPE, run_child(write_to_nobody));
    check_exited("sigpipe_ignored_is_epipe", 8, run_child([&] {
                     signal(SIGPIPE, SIG_IGN);
                     return write_to_nobody();
                 }));
}

void test_groups() {
    pid_t leader = start_child([] { return sleep_ms(20000), 0; });
    setpgid(leader, leader);
    pid_t member = start_child([] { return sleep_ms(20000), 0; });
    check_works("setpgid", setpgid(member, leader));
    check_equal("getpgid", leader, getpgid(member));
    check_works("kill_group", kill(-leader, SIGTERM));
    check_killed("group_leader", SIGTERM, wait_status(leader));
    check_killed("group_member", SIGTERM, wait_status(member));
    check_fails("kill_empty_group", ESRCH, kill(-leader, 0));
    check_killed("kill_own_group", SIGUSR1, run_child([] {
                     setpgid(0, 0);
                     kill(0, SIGUSR1);
                     return 0;
                 }));
}

// Kills a child that is busy in the given way; it must be gone within the time of waitpid.
template <typename Body>
void check_kill_reaches(const char* name, int signal, Body&& body) {
    pid_t child = start_child(body);
    sleep_ms(30);
    check_works(name, kill(child, signal));
    check_killed(name, signal, wait_status(child));
}

void test_sleepers() {
    static int word = 0;
    int ends[2];
    check_works("pipe", pipe(ends));
    check_kill_reaches("kill_sleeper", SIGKILL, [] { return sleep_ms(60000), 0; });
    check_kill_reaches("term_sleeper", SIGTERM, [] { return sleep_ms(60000), 0; });
    check_kill_reaches("kill_spinner", SIGKILL, []() -> int {
        for (;;) asm volatile("pause");
    });
    check_kill_reaches("term_spinner", SIGTERM, []() -> int {
        for (;;) asm volatile("pause");
    });
    check_kill_reaches("kill_pipe_reader", SIGKILL, [&] {
        char byte;
        return static_cast<int>(read(ends[0], &byte, 1));
    });
    check_kill_reaches("kill_pipe_writer", SIGTERM, [&] {
        static char bytes[1 << 20];
        int own[2];
        if (pipe(own) != 0) return 1;
        return static_cast<int>(write(own[1], bytes, sizeof bytes));
    });
    check_kill_reaches("kill_futex_waiter", SIGKILL, [] {
        return static_cast<int>(futex_wait(&word, 0, nullptr));
    });
    check_kill_reaches("kill_poller", SIGTERM, [&] {
        pollfd wanted = {ends[0], POLLIN, 0};
        return poll(&wanted, 1, -1);
    });
    check_kill_reaches("kill_pauser", SIGKILL, [] { return pause(); });
    check_kill_reaches("kill_parent_in_wait", SIGTERM, [] {
        start_child([] { return sleep_ms(300), 0; });
        return waitpid(-1, nullptr, 0) > 0 ? 0 : 1;
    });
    close(ends[0]);
    close(ends[1]);
}

// --- faults ----------------------------------------------------------------------------------

template <typename Body>
void check_fault(const char* name, int signal, Body&& body) {
    check_killed(name, signal, run_child([&] { return body(), 0; }));
}

volatile char* at(uint64_t address) {
    asm volatile("" : "+r"(address));  // the compiler must not know it
    return reinterpret_cast<volatile char*>(address);
}

constexpr int kTooDeep = 1000000;  // 4 GB of frames, more than any stack may have

int deep(int depth) {
    volatile char frame[4000];
    frame[0] = static_cast<char>(depth);
    return depth == kTooDeep ? 0 : deep(depth + 1) + frame[0];
}

void test_memory_faults() {
    check_fault("read_null", SIGSEGV, [] { *at(0); });
    check_fault("write_null", SIGSEGV, [] { *at(0) = 1; });
    check_fault("call_null", SIGSEGV, [] { reinterpret_cast<void (*)()>(at(0))(); });
    check_fault("write_text", SIGSEGV, [] { *at(reinterpret_cast<uint64_t>(&sleep_ms)) = 1; });
    check_fault("read_kernel", SIGSEGV, [] { *at(0xffffffff80100000); });
    check_fault("write_kernel", SIGSEGV, [] { *at(0xffff888000000000) = 1; });
    check_fault("jump_kernel", SIGSEGV,
                [] { reinterpret_cast<void (*)()>(at(0xffffffff80100000))(); });
    check_fault("non_canonical", SIGSEGV, [] { *at(0x8000000000001000); });
    check_fault("jump_non_canonical", SIGSEGV,
                [] { reinterpret_cast<void (*)()>(at(0x8000000000001000))(); });
    check_fault("execute_data", SIGSEGV, [] {
        static char code[16] = {'\xc3'};
        reinterpret_cast<void (*)()>(at(reinterpret_cast<uint64_t>(code)))();
    });
    check_fault("stack_overflow", SIGSEGV, [] { deep(0); });
    check_fault("past_end_of_file", SIGBUS, [] {
        int fd = open("/tmp/signals.short", O_RDWR | O_CREAT | O_TRUNC, 0600);
        unlink("/tmp/signals.short");
        if (write(fd, "x", 1) != 1) return;
        void* two = mmap(nullptr, 8192, PROT_READ, MAP_SHARED, fd, 0);
        *at(reinterpret_cast<uint64_t>(two));
        *at(reinterpret_cast<uint64_t>(two) + 4096);
    });
}

void test_instruction_faults() {
    check_fault("ud2", SIGILL, [] { asm volatile("ud2"); });
    check_fault("int3", SIGTRAP, [] { asm volatile("int3"); });
    check_fault("divide_by_zero", SIGFPE, [] {
        asm volatile("xor %%edx, %%edx; mov $1, %%eax; xor %%ecx, %%ecx; div %%ecx" ::
                         : "rax", "rcx", "rdx");
    });
    check_fault("divide_overflow", SIGFPE, [] {
        asm volatile("mov $0x80000000, %%eax; cltd; mov $-1, %%ecx; idiv %%ecx" ::
                         : "rax", "rcx", "rdx");
    });
    // x87, because QEMU's TCG raises no unmasked SSE exceptions.
    check_fault("x87_exception", SIGFPE, [] {
        uint16_t unmasked = 0x0340;  // SDM vol. 1, 8.1.5
        asm volatile("fninit; fldcw %0; fld1; fldz; fdivrp; fwait" ::"m"(unmasked));
    });
    check_fault("hlt", SIGSEGV, [] { asm volatile("hlt"); });
    check_fault("cli", SIGSEGV, [] { asm volatile("cli"); });
    check_fault("sti", SIGSEGV, [] { asm volatile("sti"); });
    check_fault("in", SIGSEGV, [] { asm volatile("in $0x60, %%al" ::: "rax"); });
    check_fault("out", SIGSEGV, [] { asm volatile("out %%al, $0x80" ::: "rax"); });
    check_fault("rdmsr", SIGSEGV, [] {
        asm volatile("mov $0xc0000080, %%ecx; rdmsr" ::: "rax", "rcx", "rdx");
    });
    check_fault("read_cr3", SIGSEGV, [] { asm volatile("mov %%cr3, %%rax" ::: "rax"); });
    check_fault("swapgs", SIGSEGV, [] { asm volatile("swapgs"); });
    check_fault("int_page_fault_vector", SIGSEGV, [] { asm volatile("int $14"); });
    check_fault("int_timer_vector", SIGSEGV, [] { asm volatile("int $32"); });
    check_fault("blocked_fault_kills", SIGSEGV, [] {
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, nullptr);
        *at(0);
    });
    check_fault("ignored_fault_kills", SIGSEGV, [] {
        signal(SIGSEGV, SIG_IGN);
        *at(0);
    });
}

// --- stopping --------------------------------------------------------------------------------

volatile sig_atomic_t caught = 0;
siginfo_t caught_info;

void catch_signal(int signal, int flags) {
    struct sigaction action {};
    action.sa_flags = flags | SA_SIGINFO;
    action.sa_sigaction = [](int, siginfo_t* info, void*) {
        caught = caught + 1;
        caught_info = *info;
    };
    sigaction(signal, &action, nullptr);
}

void test_stop() {
    int ends[2];
    check_works("pipe_to_child", pipe(ends));
    catch_signal(SIGCHLD, SA_RESTART);
    pid_t child = start_child([&] {
        char byte;
        close(ends[1]);
        read(ends[0], &byte, 1);
        return 11;
    });
    setpgid(child, child);  // in a job of ours; an orphaned group would not stop
    int status = 0;
    for (int signal : {SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU}) {
        caught = 0;
        check_works("stop", kill(child, signal));
        check_equal("wait_untraced", child, waitpid(child, &status, WUNTRACED));
        check("is_stopped", WIFSTOPPED(status) && WSTOPSIG(status) == signal);
        check("told_of_stop", caught > 0 && caught_info.si_code == CLD_STOPPED &&
                                  caught_info.si_pid == child && caught_info.si_status == signal);
        check_equal("reported_once", 0, waitpid(child, &status, WNOHANG | WUNTRACED));
        check_works("term_waits", kill(child, SIGURG));
        check_equal("stays_stopped", 0, waitpid(child, &status, WNOHANG | WCONTINUED));
        caught = 0;
        check_works("continue", kill(child, SIGCONT));
        check_equal("wait_continued", child, waitpid(child, &status, WCONTINUED));
        check("is_continued", WIFCONTINUED(status));
        while (caught == 0) sleep_ms(1);  // Linux tells after wait4 could see it
        check("told_of_continue", caught > 0 && caught_info.si_code == CLD_CONTINUED);
    }
    catch_signal(SIGCHLD, SA_NOCLDSTOP | SA_RESTART);
    caught = 0;
    kill(child, SIGSTOP);
    check_equal("wait_untold", child, waitpid(child, &status, WUNTRACED));
    kill(child, SIGCONT);
    check_equal("wait_untold_continue", child, waitpid(child, &status, WCONTINUED));
    check_equal("no_child_stop", 0, caught);
    close(ends[1]);
    check_exited("ran_to_end", 11, wait_status(child));
    check("told_of_end", caught == 1 && caught_info.si_code == CLD_EXITED &&
                             caught_info.si_pid == child && caught_info.si_status == 11);
    check_kill_reaches("kill_stopped", SIGKILL, [] { return kill(getpid(), SIGSTOP); });
    signal(SIGCHLD, SIG_DFL);
    close(ends[0]);
}

sigset_t set_of(std::initializer_list<int> signals) {
    sigset_t set;
    sigemptyset(&set);
    for (int signal : signals) sigaddset(&set, signal);
    return set;
}

void test_cancel() {
    sigset_t both = set_of({SIGTSTP, SIGCONT}), pending;
    sigprocmask(SIG_BLOCK, &both, nullptr);
    kill(getpid(), SIGTSTP);
    kill(getpid(), SIGCONT);
    sigpending(&pending);
    check("cont_cancels_stop", !sigismember(&pending, SIGTSTP) && sigismember(&pending, SIGCONT));
    kill(getpid(), SIGTSTP);
    sigpending(&pending);
    check("stop_cancels_cont", sigismember(&pending, SIGTSTP) && !sigismember(&pending, SIGCONT));
    kill(getpid(), SIGCONT);
    sigprocmask(SIG_UNBLOCK, &both, nullptr);
    // Alone with its group in its session: nobody could continue it.
    check_exited("orphans_do_not_stop", 12, run_child([] {
                     setsid();
                     kill(getpid(), SIGTSTP);
                     return 12;
                 }));
}

void test_wait_for_signal() {
    sigset_t set = set_of({SIGUSR1, SIGCHLD, SIGRTMIN + 1});
    timespec none = {0, 0}, some = {0, 20'000'000};
    siginfo_t info = {};
    sigprocmask(SIG_BLOCK, &set, nullptr);
    check_fails("timedwait_none", EAGAIN, sigtimedwait(&set, &info, &none));
    check_fails("timedwait_times_out", EAGAIN, sigtimedwait(&set, &info, &some));
    kill(getpid(), SIGUSR1);
    check_equal("timedwait_pending", SIGUSR1, sigtimedwait(&set, &info, &none));
    check("timedwait_info", info.si_code == SI_USER && info.si_pid == getpid());
    pid_t child = start_child([] { return sleep_ms(20), kill(getppid(), SIGRTMIN + 1), pause(); });
    check_equal("timedwait_sleeps", SIGRTMIN + 1, sigwaitinfo(&set, &info));
    check_equal("timedwait_sender", child, info.si_pid);
    kill(child, SIGKILL);
    check_equal("timedwait_child", SIGCHLD, sigwaitinfo(&set, &info));
    check("timedwait_child_killed", info.si_code == CLD_KILLED && info.si_status == SIGKILL);
    check_killed("timedwait_child_ended", SIGKILL, wait_status(child));
    sigset_t usr2 = set_of({SIGUSR2});
    catch_signal(SIGUSR2, SA_RESTART);
    child = start_child([] { return sleep_ms(20), kill(getppid(), SIGUSR2), pause(); });
    // The call itself: musl's goes on after EINTR.
    check_fails("timedwait_interrupted", EINTR,
                syscall(SYS_rt_sigtimedwait, &set, nullptr, nullptr, 8l));
    kill(child, SIGKILL);
    wait_status(child);
    while (sigtimedwait(&set, &info, &none) > 0) {}
    sigprocmask(SIG_UNBLOCK, &set, nullptr);
    sigprocmask(SIG_UNBLOCK, &usr2, nullptr);
}

long now_ms() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// Stopped in the middle of a sleep and continued, it goes on to its end: one that began anew
// would last its whole length from the moment of SIGCONT on.
void test_stopped_sleeps() {
    static constexpr long kLength = 600, kStopAfter = 450;
    static constexpr timespec kTime = {0, kLength * 1'000'000};
    struct {
        const char* name;
        int (*sleep)();
        pid_t child;
    } sleeps[] = {
        {"nanosleep_over_stop", [] { return nanosleep(&kTime, nullptr); }, 0},
        {"poll_over_stop", [] { return poll(nullptr, 0, kLength); }, 0},
        {"ppoll_over_stop", [] { return ppoll(nullptr, 0, &kTime, nullptr); }, 0},
        {"select_over_stop",
         [] {
             timeval time = {0, kLength * 1000};
             return select(0, nullptr, nullptr, nullptr, &time);
         }, 0},
        {"futex_over_stop",
         [] {
             uint32_t word = 0;
             return futex_wait(&word, 0, &kTime) == -1 && errno == ETIMEDOUT ? 0 : 1;
         }, 0},
    };
    long start = now_ms();
    for (auto& sleep : sleeps) {
        sleep.child = start_child([&] {
            int result = sleep.sleep();
            return result != 0 ? 1 : now_ms() - start < kLength ? 2 : 0;
        });
    }
    sleep_ms(kStopAfter);
    for (auto& sleep : sleeps) kill(sleep.child, SIGSTOP);
    for (auto& sleep : sleeps) waitpid(sleep.child, nullptr, WUNTRACED);
    long continued = now_ms();
    for (auto& sleep : sleeps) kill(sleep.child, SIGCONT);
    for (auto& sleep : sleeps) {
        check_exited(sleep.name, 0, wait_status(sleep.child));
        check(sleep.name, now_ms() < continued + kLength);
    }
}

template <typename Body>
void check_fault_info(const char* name, int signal, int code, uint64_t address, Body&& body) {
    check_exited(name, 0, run_child([&] {
        static int wanted_code;
        static uint64_t wanted_address;
        wanted_code = code;
        wanted_address = address;
        struct sigaction action {};
        action.sa_flags = SA_SIGINFO;
        action.sa_sigaction = [](int, siginfo_t* info, void*) {
            bool address_right = wanted_address == 1 ||
                                 reinterpret_cast<uint64_t>(info->si_addr) == wanted_address;
            _exit(info->si_code != wanted_code ? 1 : address_right ? 0 : 2);
        };
        sigaction(signal, &action, nullptr);
        body();
        return 3;
    }));
}

void test_fault_codes() {
    constexpr uint64_t kAny = 1;  // address
    check_fault_info("unmapped", SIGSEGV, SEGV_MAPERR, 0x1234, [] { *at(0x1234) = 1; });
    auto text = reinterpret_cast<uint64_t>(&sleep_ms);
    check_fault_info("forbidden", SIGSEGV, SEGV_ACCERR, text, [&] { *at(text) = 1; });
    check_fault_info("general_protection", SIGSEGV, SI_KERNEL, 0,
                     [] { *at(0x8000000000001000); });
    check_fault_info("undefined", SIGILL, ILL_ILLOPN, kAny, [] { asm volatile("ud2"); });
    check_fault_info("breakpoint", SIGTRAP, SI_KERNEL, kAny, [] { asm volatile("int3"); });
    check_fault_info("division", SIGFPE, FPE_INTDIV, kAny, [] {
        asm volatile("xor %%edx, %%edx; mov $1, %%eax; xor %%ecx, %%ecx; div %%ecx" ::
                         : "rax", "rcx", "rdx");
    });
    check_fault_info("x87_division", SIGFPE, FPE_FLTDIV, kAny, [] {
        uint16_t unmasked = 0x0340;
        asm volatile("fninit; fldcw %0; fld1; fldz; fdivrp; fwait" ::"m"(unmasked));
    });
    check_fault_info("sent", SIGSEGV, SI_USER, kAny, [] { kill(getpid(), SIGSEGV); });
}

void test_alternate_stack() {
    static char memory[16384];
    stack_t stack = {memory, 0, sizeof memory}, old;
    check_works("sigaltstack", sigaltstack(&stack, nullptr));
    check_exited("altstack_after_fork", 0, run_child([&] {
                     sigaltstack(nullptr, &old);
                     return old.ss_sp == memory ? 0 : 1;
                 }));
    static int in_handler;
    struct sigaction action {};
    action.sa_flags = SA_ONSTACK;
    action.sa_handler = [](int) {
        stack_t now, off = {nullptr, SS_DISABLE, 0};
        sigaltstack(nullptr, &now);
        in_handler = now.ss_flags == SS_ONSTACK && sigaltstack(&off, nullptr) == -1 &&
                     errno == EPERM;
    };
    sigaction(SIGUSR1, &action, nullptr);
    raise(SIGUSR1);
    check("altstack_in_use", in_handler);
    signal(SIGUSR1, SIG_DFL);
    stack.ss_flags = SS_DISABLE;
    check_works("altstack_off", sigaltstack(&stack, nullptr));
}

}  // namespace

// Both have frames: one calls before it crashes, the other has something to do after its call.
extern "C" [[gnu::noinline]] int crash_inner(volatile int* nowhere) {
    return getpid() + *nowhere;
}
extern "C" [[gnu::noinline]] int crash_outer(volatile int* nowhere) {
    return crash_inner(nowhere) + 1;
}

int main(int argc, char** argv) {
    if (argc > 1 && strcmp(argv[1], "core") == 0) return crash_outer(nullptr);
    if (argc > 1 && strcmp(argv[1], "self-term") == 0) {
        kill(getpid(), SIGTERM);
        return 5;
    }
    check_group("signals");
    test_default_actions();
    test_arguments();
    test_ignored();
    test_blocked();
    test_pipe_signal();
    test_groups();
    test_sleepers();
    test_memory_faults();
    test_instruction_faults();
    if (argc > 1 && strcmp(argv[1], "stop") == 0) {
        test_stop();
        test_cancel();
        test_wait_for_signal();
        test_stopped_sleeps();
        test_fault_codes();
        test_alternate_stack();
    }
    return check_summary("signals");
}
