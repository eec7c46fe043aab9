// Time: clocks, sleeping, alarms.
#include <signal.h>
#include <sys/time.h>
#include <time.h>

#include <initializer_list>

#include "user/tests/common/posix/posix.h"

namespace {

uint64_t read_clock(clockid_t clock) {
    timespec now = {};
    if (clock_gettime(clock, &now) != 0) return 0;
    return now.tv_sec * 1000000000ull + now.tv_nsec;
}

void spin_ms(uint64_t ms) {
    uint64_t end = now_ns() + ms * 1000000;
    while (now_ns() < end) {
    }
}

}  // namespace

void test_clocks() {
    uint64_t last = now_ns(), backwards = 0, equal = 0;
    for (int i = 0; i < 5000; i++) {
        uint64_t now = now_ns();
        backwards += now < last;
        equal += now == last;
        last = now;
    }
    check_equal("never_backwards", 0, backwards);
    check("moves", equal < 4900);
    for (clockid_t clock : {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID,
                            CLOCK_THREAD_CPUTIME_ID, CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE,
                            CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME}) {
        timespec now = {-1, -1}, step = {-1, -1};
        check_works("gettime", syscall(SYS_clock_gettime, clock, &now));
        check("nanoseconds", now.tv_sec >= 0 && now.tv_nsec >= 0 && now.tv_nsec < 1000000000);
        check_works("getres", syscall(SYS_clock_getres, clock, &step));
        check("resolution", step.tv_sec == 0 && step.tv_nsec > 0 && step.tv_nsec < 100000000);
    }
    timespec now;
    check_fails("unknown", EINVAL, syscall(SYS_clock_gettime, 77, &now));
    check_fails("unknown_res", EINVAL, syscall(SYS_clock_getres, 77, &now));
    timeval of_day;
    syscall(SYS_gettimeofday, &of_day, nullptr);
    long seconds = syscall(SYS_time, nullptr);
    clock_gettime(CLOCK_REALTIME, &now);
    check("gettimeofday_agrees", now.tv_sec - of_day.tv_sec <= 2 && of_day.tv_usec < 1000000);
    check("time_agrees", now.tv_sec - seconds <= 2 && seconds - now.tv_sec <= 2);
    uint64_t wall = read_clock(CLOCK_REALTIME), steady = now_ns();
    sleep_ms(50);
    long difference = (read_clock(CLOCK_REALTIME) - wall) - (now_ns() - steady);
    check("clocks_run_alike", difference > -20000000 && difference < 20000000);
    uint64_t used = read_clock(CLOCK_PROCESS_CPUTIME_ID);
    sleep_ms(60);
    uint64_t slept = read_clock(CLOCK_PROCESS_CPUTIME_ID) - used;
    check("cpu_time_stands_while_asleep", slept < 40000000);
    used = read_clock(CLOCK_PROCESS_CPUTIME_ID);
    uint64_t thread = read_clock(CLOCK_THREAD_CPUTIME_ID);
    while (read_clock(CLOCK_PROCESS_CPUTIME_ID) - used < 20000000) {
    }
    check_passed("cpu_time_runs");
    check("thread_time_runs", read_clock(CLOCK_THREAD_CPUTIME_ID) - thread >= 15000000);
}

void test_sleep() {
    for (long ms : {1, 5, 30}) {
        uint64_t start = now_ns();
        sleep_ms(ms);
        uint64_t took = now_ns() - start;
        check("not_too_short", took >= ms * 1000000ull);
        check("not_too_long", took < ms * 1000000ull + 2000000000);
    }
    timespec none = {0, 0}, wrong = {0, 1000000000}, negative = {-1, 0};
    timespec negative_part = {0, -1};
    check_works("nothing", syscall(SYS_nanosleep, &none, nullptr));
    check_fails("nanoseconds", EINVAL, syscall(SYS_nanosleep, &wrong, nullptr));
    check_fails("negative", EINVAL, syscall(SYS_nanosleep, &negative, nullptr));
    check_fails("negative_part", EINVAL, syscall(SYS_nanosleep, &negative_part, nullptr));
    uint64_t until = now_ns() + 20000000;
    timespec end = {static_cast<time_t>(until / 1000000000),
                    static_cast<long>(until % 1000000000)};
    check_works("absolute",
                syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &end, nullptr));
    check("absolute_reached", now_ns() >= until);
    check_works("absolute_past",
                syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &end, nullptr));
    check_fails("unknown_clock", EINVAL, syscall(SYS_clock_nanosleep, 77, 0, &none, nullptr));
    // Sleepers wake in the order of their times, not of their going to sleep.
    int ends[2];
    if (pipe(ends) != 0) return;
    for (int i : {3, 1, 2}) {
        start_child([&] {
            sleep_ms(100 * i);
            char digit = '0' + i;
            return static_cast<int>(write(ends[1], &digit, 1));
        });
    }
    char order[4] = {};
    for (int i = 0; i < 3; i++) {
        wait_status(-1);
        read(ends[0], order + i, 1);
    }
    check_text("order", "123", order);
    close(ends[0]);
    close(ends[1]);
}

void test_timers() {
    check_equal("no_alarm", 0, alarm(100));
    unsigned left = alarm(50);
    check("alarm_left", left >= 98 && left <= 100);
    check("alarm_cancel", alarm(0) > 40);
    check_equal("alarm_cancelled", 0, alarm(0));
    check_killed("alarm_kills", SIGALRM, run_child([] {
                     alarm(1);
                     sleep_ms(20000);
                     return 0;
                 }));
    check_killed("timer_kills_spinner", SIGALRM, run_child([] {
                     itimerval timer = {{0, 0}, {0, 30000}};
                     if (setitimer(ITIMER_REAL, &timer, nullptr) != 0) return 1;
                     spin_ms(20000);
                     return 0;
                 }));
    check_exited("timer_ignored", 0, run_child([] {
                     signal(SIGALRM, SIG_IGN);
                     itimerval timer = {{0, 5000}, {0, 5000}};
                     if (setitimer(ITIMER_REAL, &timer, nullptr) != 0) return 1;
                     spin_ms(40);
                     return 0;
                 }));
    itimerval timer = {{7, 0}, {50, 0}}, got = {};
    check_works("set", setitimer(ITIMER_REAL, &timer, nullptr));
    timer = {};
    check_works("stop", setitimer(ITIMER_REAL, &timer, &got));
    check_equal("old_interval", 7, got.it_interval.tv_sec);
    check("old_value", got.it_value.tv_sec >= 48 && got.it_value.tv_sec <= 50);
    timer.it_value.tv_usec = 1000000;
    check_fails("microseconds", EINVAL, setitimer(ITIMER_REAL, &timer, nullptr));
    check_fails("which", EINVAL, setitimer(77, &timer, nullptr));
}
