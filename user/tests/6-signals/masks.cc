// Which signals are held back, and for how long: masks of handlers, of sigprocmask and of
// sigsuspend; what a fork and an exec keep; and that all which are let through arrive.
//
//   masks             the test
//   masks pending     exits 0 when SIGUSR1 is blocked and pending (after an exec)
//
// Reported: `masks_taken COUNT SUM` over the signals whose handlers ran in one go.
// Host data: `masks_seed`.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <initializer_list>

#include "user/tests/6-signals/handlers.h"
#include "user/tests/lib/check.h"
#include "user/tests/lib/child.h"
#include "user/tests/lib/report.h"

namespace {

// Sets by the kernel's layout, and the calls themselves: the C library keeps some signals
// for itself.
using Set = uint64_t;
constexpr Set bit(int signal) { return 1ull << (signal - 1); }

Set mask() {
    Set set = 0;
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, nullptr, &set, 8l);
    return set;
}
void set_mask(Set set) { syscall(SYS_rt_sigprocmask, SIG_SETMASK, &set, nullptr, 8l); }
Set pending() {
    Set set = 0;
    syscall(SYS_rt_sigpending, &set, 8l);
    return set;
}
long suspend(Set set) { return syscall(SYS_rt_sigsuspend, &set, 8l); }

volatile int calls, last;
volatile Set mask_inside, mask_to_return;
uint64_t sum;
siginfo_t last_info;

void note(int signal, siginfo_t* info, void* context) {
    calls = calls + 1;
    last = signal;
    mask_inside = mask();
    memcpy(const_cast<Set*>(&mask_to_return), &static_cast<ucontext_t*>(context)->uc_sigmask, 8);
    last_info = *info;
}

void catch_signal(int signal, int flags = 0, Set while_inside = 0,
                  void (*handler)(int, siginfo_t*, void*) = note) {
    struct sigaction action {};
    action.sa_flags = SA_SIGINFO | flags;
    action.sa_sigaction = handler;
    memcpy(&action.sa_mask, &while_inside, 8);
    sigaction(signal, &action, nullptr);
}

// ---- handlers ----

void test_handler_masks() {
    catch_signal(SIGUSR1, 0, bit(SIGTERM) | bit(SIGKILL) | bit(SIGSTOP));
    set_mask(bit(SIGHUP));
    calls = 0;
    kill(getpid(), SIGUSR1);
    check_equal("handler.runs_before_kill_returns", 1, calls);
    check("handler.own_signal_is_blocked", (mask_inside & bit(SIGUSR1)) != 0);
    check_equal("handler.mask_is_the_union",
                static_cast<long>(bit(SIGHUP) | bit(SIGUSR1) | bit(SIGTERM)),
                static_cast<long>(mask_inside));
    check_equal("handler.mask_in_the_frame", static_cast<long>(bit(SIGHUP)),
                static_cast<long>(mask_to_return));
    check_equal("handler.mask_is_restored", static_cast<long>(bit(SIGHUP)),
                static_cast<long>(mask()));
    catch_signal(SIGUSR1, SA_NODEFER, bit(SIGTERM));
    kill(getpid(), SIGUSR1);
    check_equal("handler.nodefer", static_cast<long>(bit(SIGHUP) | bit(SIGTERM)),
                static_cast<long>(mask_inside));
    set_mask(0);
    check("handler.sender", last_info.si_code == SI_USER && last_info.si_pid == getpid());
    syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1);
    check_equal("handler.sent_to_thread", SI_TKILL, last_info.si_code);
}

void test_recursion() {
    static volatile int depth, deepest;
    auto handler = [](int, siginfo_t*, void*) {
        calls = calls + 1;
        depth = depth + 1;
        if (depth > deepest) deepest = depth;
        if (calls < 4) kill(getpid(), SIGUSR2);
        depth = depth - 1;
    };
    calls = 0;
    catch_signal(SIGUSR2, 0, 0, handler);
    kill(getpid(), SIGUSR2);
    check_equal("handler.follows_itself", 4, calls);
    check_equal("handler.does_not_nest", 1, deepest);
    calls = 0;
    deepest = 0;
    catch_signal(SIGUSR2, SA_NODEFER, 0, handler);
    kill(getpid(), SIGUSR2);
    check_equal("handler.nests_with_nodefer", 4, deepest);
    catch_signal(SIGUSR2, SA_RESETHAND);
    calls = 0;
    kill(getpid(), SIGUSR2);
    struct sigaction now {};
    sigaction(SIGUSR2, nullptr, &now);
    check("handler.resethand", calls == 1 && now.sa_handler == SIG_DFL);
}

void test_unblockable() {
    set_mask(~0ull);
    check_equal("mask.kill_and_stop_stay_out", static_cast<long>(~(bit(SIGKILL) | bit(SIGSTOP))),
                static_cast<long>(mask()));
    set_mask(0);
    catch_signal(SIGHUP, 0, ~0ull);
    kill(getpid(), SIGHUP);
    check_equal("mask.nor_in_handlers", static_cast<long>(~(bit(SIGKILL) | bit(SIGSTOP))),
                static_cast<long>(mask_inside));
}

// Signals of the host's choice, let through all at once: when the call that does it has
// returned, all of their handlers have run.
void test_all_at_once(uint64_t seed) {
    Sequence sequence(seed);
    Set chosen = sequence.next() & ~(bit(SIGKILL) | bit(SIGSTOP) | bit(SIGCONT) | bit(SIGTSTP) |
                                     bit(SIGTTIN) | bit(SIGTTOU) | 7ull << 31);
    set_mask(~0ull);
    for (int signal = 1; signal <= 64; signal++) {
        if ((chosen & bit(signal)) == 0) continue;
        catch_signal(signal, 0, 0, [](int number, siginfo_t*, void*) {
            calls = calls + 1;
            sum += static_cast<uint64_t>(number * number);
        });
        for (int i = 0; i < 2; i++) {  // a set remembers one
            if (sequence.below(2) == 0) kill(getpid(), signal);
            else syscall(SYS_tgkill, getpid(), getpid(), signal);
        }
    }
    check_equal("once.all_are_pending", static_cast<long>(chosen), static_cast<long>(pending()));
    // A signal may be pending for the thread and for the process: those come twice.
    calls = 0;
    sum = 0;
    Set none = 0;
    long result = syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, 8l);
    Set rest = pending();
    check_equal("once.result", 0, result);
    check_equal("once.none_is_left", 0, static_cast<long>(rest));
    check_equal("once.mask_is_restored", 0, static_cast<long>(mask()));
    report("masks_taken", "%d %lu", calls, sum);
    for (int signal = 1; signal <= 64; signal++) {
        if ((chosen & bit(signal)) != 0) ::signal(signal, SIG_DFL);
    }
}

// ---- sigsuspend and its kin ----

void test_suspend() {
    catch_signal(SIGUSR1, 0, bit(SIGTERM));
    catch_signal(SIGUSR2);
    Set blocked = bit(SIGUSR1) | bit(SIGUSR2) | bit(SIGHUP);
    set_mask(blocked);
    syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1);  // before the call: it must not sleep
    kill(getpid(), SIGUSR2);  // stays blocked
    calls = 0;
    check_fails("suspend.pending_ends_it", EINTR, suspend(bit(SIGUSR2) | bit(SIGINT)));
    check("suspend.handler_ran", calls == 1 && last == SIGUSR1);
    check_equal("suspend.mask_of_the_handler",
                static_cast<long>(bit(SIGUSR2) | bit(SIGINT) | bit(SIGTERM) | bit(SIGUSR1)),
                static_cast<long>(mask_inside));
    check_equal("suspend.mask_in_the_frame", static_cast<long>(blocked),
                static_cast<long>(mask_to_return));
    check_equal("suspend.mask_is_put_back", static_cast<long>(blocked), static_cast<long>(mask()));
    check_equal("suspend.others_stay_pending", static_cast<long>(bit(SIGUSR2)),
                static_cast<long>(pending()));
    pid_t child = start_child([] {
        for (int i = 0; i < 1000; i++) kill(getppid(), SIGUSR1), usleep(1000);
        return 0;
    });
    catch_signal(SIGUSR1, SA_RESTART);
    check_fails("suspend.does_not_restart", EINTR, suspend(bit(SIGUSR2)));
    kill(child, SIGKILL);
    wait_status(child);
    suspend(bit(SIGUSR1));  // takes SIGUSR2
    check_equal("suspend.second", SIGUSR2, last);
    set_mask(blocked);

    kill(getpid(), SIGUSR1);
    calls = 0;
    sigset_t none;
    sigemptyset(&none);
    timespec long_time = {30, 0};
    check_fails("suspend.ppoll", EINTR, ppoll(nullptr, 0, &long_time, &none));
    check_equal("suspend.ppoll_handler", 1, calls);
    check_equal("suspend.ppoll_mask", static_cast<long>(blocked), static_cast<long>(mask()));
    kill(getpid(), SIGUSR1);
    check_fails("suspend.pselect", EINTR,
                pselect(0, nullptr, nullptr, nullptr, &long_time, &none));
    check_equal("suspend.pselect_handler", 2, calls);
    timespec no_time = {0, 0};
    check_equal("suspend.ppoll_without_signal", 0, ppoll(nullptr, 0, &no_time, &none));
    check_equal("suspend.mask_after_all", static_cast<long>(blocked), static_cast<long>(mask()));
    set_mask(0);
}

// ---- fork and exec ----

int is_pending() { return (mask() & pending() & bit(SIGUSR1)) != 0 ? 0 : 1; }

void test_inheritance() {
    set_mask(bit(SIGUSR1));
    kill(getpid(), SIGUSR1);
    syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1);
    check_exited("fork.child_has_nothing_pending", 0, run_child([] {
                     return (mask() & bit(SIGUSR1)) != 0 && pending() == 0 ? 0 : 1;
                 }));
    check_exited("exec.keeps_pending", 0, run_child([] {
                     kill(getpid(), SIGUSR1);
                     execl("/proc/self/exe", "masks", "pending", nullptr);
                     return 99;
                 }));
    catch_signal(SIGUSR1);
    set_mask(0);
    check_equal("fork.parent_keeps_its_own", 0, is_pending() == 0);
    check_exited("fork.child_has_the_handlers", 0, run_child([] {
                     calls = 0;
                     kill(getpid(), SIGUSR1);
                     return calls == 1 ? 0 : 1;
                 }));
}

}  // namespace

int main(int argc, char** argv) {
    if (argc > 1 && strcmp(argv[1], "pending") == 0) return is_pending();
    need_handlers();
    uint64_t seed = host_number("masks_seed", 1);
    test_handler_masks();
    test_recursion();
    test_unblockable();
    test_all_at_once(seed);
    test_suspend();
    test_inheritance();
    return check_summary("masks");
}
