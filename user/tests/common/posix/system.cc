// What the system says of itself, limits, usage, CPUs, and calls that are not there.
#include <sched.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <time.h>

#include <initializer_list>

#include "user/tests/common/posix/posix.h"
#include "user/tests/lib/figure.h"

namespace {

long tick_count() {
    tms used;
    times(&used);
    return used.tms_utime + used.tms_stime;
}

long used_us(int who) {
    rusage usage;
    if (getrusage(who, &usage) != 0) return -1;
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
           usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

void spin_cpu_ms(long ms) {
    timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    long end = now.tv_sec * 1000000000 + now.tv_nsec + ms * 1000000;
    do {
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    } while (now.tv_sec * 1000000000 + now.tv_nsec < end);
}

}  // namespace

void test_uname() {
    utsname name;
    check_works("uname", uname(&name));
    check_text("machine", "x86_64", name.machine);
    check("system", name.sysname[0] != '\0');
    check("release", name.release[0] >= '0' && name.release[0] <= '9');
    check("version", name.version[0] != '\0');
    check("node", name.nodename[0] != '\0');
    struct sysinfo info;
    check_works("sysinfo", sysinfo(&info));
    check("memory", info.totalram >= info.freeram && info.totalram > 0 && info.mem_unit > 0);
    check("processes", info.procs > 0);
}

void test_random() {
    char a[64] = {}, b[64] = {};
    check_equal("getrandom", 64, getrandom(a, sizeof a, 0));
    check_equal("getrandom_again", 64, getrandom(b, sizeof b, GRND_NONBLOCK));
    check("differs", memcmp(a, b, sizeof a) != 0);
    int counts[256] = {}, distinct = 0;
    for (int i = 0; i < 64; i++) counts[static_cast<unsigned char>(a[i])]++;
    for (int count : counts) distinct += count > 0;
    check("spread", distinct > 30);
    check_equal("nothing", 0, getrandom(a, 0, 0));
    check_fails("flags", EINVAL, getrandom(a, 1, 0x80));
    static char large[100000];
    check_equal("large", sizeof large, getrandom(large, sizeof large, 0));
    check("large_end", !all_bytes(large + 99900, 100, 0));
    check_exited("child_differs", 0, run_child([] {
                     char mine[16], theirs[16];
                     int ends[2];
                     if (pipe(ends) != 0) return 1;
                     run_child([&] {
                         getrandom(mine, 16, 0);
                         return static_cast<int>(write(ends[1], mine, 16));
                     });
                     read(ends[0], theirs, 16);
                     getrandom(mine, 16, 0);
                     return memcmp(mine, theirs, 16) != 0 ? 0 : 2;
                 }));
}

void test_usage() {
    long before = used_us(RUSAGE_SELF), ticks_before = tick_count();
    check("self", before >= 0);
    spin_cpu_ms(60);
    long spent = used_us(RUSAGE_SELF) - before;
    check("self_grows", spent >= 30000 && spent < 5000000);
    check("times_grows", tick_count() - ticks_before >= 2);
    long children = used_us(RUSAGE_CHILDREN);
    run_child([] { return spin_cpu_ms(60), 0; });
    check("children_grow", used_us(RUSAGE_CHILDREN) - children >= 30000);
    tms used;
    times(&used);
    check("times_children", used.tms_cutime + used.tms_cstime >= 2);
    rusage usage;
    check_fails("who", EINVAL, getrusage(77, &usage));
    clock_t start = times(&used);
    sleep_ms(50);
    check("times_counts_the_clock", times(&used) - start >= 3);
    getrusage(RUSAGE_SELF, &usage);
    long faults = usage.ru_minflt;
    char* pages = map_pages(50);
    for (int i = 0; i < 50; i++) pages[i * kPage] = 1;
    getrusage(RUSAGE_SELF, &usage);
    check("faults_counted", usage.ru_minflt > faults);
}

void test_limits() {
    rlimit limit = {}, old = {};
    check_works("getrlimit", getrlimit(RLIMIT_NOFILE, &limit));
    check("soft_below_hard", limit.rlim_cur <= limit.rlim_max && limit.rlim_cur >= 20);
    check_works("stack", getrlimit(RLIMIT_STACK, &limit));
    check("stack_size", limit.rlim_cur >= 1 << 20);
    check_exited("setrlimit", 0, run_child([] {
                     rlimit own = {50, 60}, got = {};
                     if (setrlimit(RLIMIT_NOFILE, &own) != 0) return 1;
                     if (getrlimit(RLIMIT_NOFILE, &got) != 0) return 2;
                     return got.rlim_cur == 50 && got.rlim_max == 60 ? 0 : 3;
                 }));
    check_exited("inherited", 0, run_child([] {
                     rlimit own = {50, 60};
                     setrlimit(RLIMIT_NOFILE, &own);
                     return WEXITSTATUS(run_child([] {
                         rlimit got = {};
                         getrlimit(RLIMIT_NOFILE, &got);
                         return got.rlim_cur == 50 ? 0 : 1;
                     }));
                 }));
    rlimit reversed = {60, 50};
    check_fails("soft_above_hard", EINVAL, setrlimit(RLIMIT_NOFILE, &reversed));
    check_fails("unknown", EINVAL, getrlimit(99, &limit));
    check_works("prlimit_old",
                syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, nullptr, &old));
    check_works("prlimit_self",
                syscall(SYS_prlimit64, getpid(), RLIMIT_NOFILE, &old, nullptr));
    check_fails("prlimit_nobody", ESRCH,
                syscall(SYS_prlimit64, 999999, RLIMIT_NOFILE, nullptr, &old));
}

void test_affinity() {
    unsigned long mask[16] = {};
    long size = syscall(SYS_sched_getaffinity, 0, sizeof mask, mask);
    check("get", size >= 8 && size % 8 == 0);
    int cpus = 0;
    for (unsigned long word : mask) cpus += __builtin_popcountl(word);
    check("some_cpu", cpus >= 1);
    check_equal("counted", cpus, cpu_count());
    check_exited("each_cpu", 0, run_child([&] {
                     for (unsigned cpu = 0; cpu < 64; cpu++) {
                         if (!(mask[0] >> cpu & 1)) continue;
                         unsigned long one = 1ul << cpu, got[16] = {};
                         if (syscall(SYS_sched_setaffinity, 0, 8, &one) != 0) return 1;
                         unsigned here = 999;
                         syscall(SYS_getcpu, &here, nullptr, nullptr);
                         if (here != cpu) return 2;
                         syscall(SYS_sched_getaffinity, 0, sizeof got, got);
                         if (got[0] != one) return 3;
                         for (int i = 0; i < 20; i++) sched_yield();
                         syscall(SYS_getcpu, &here, nullptr, nullptr);
                         if (here != cpu) return 4;
                     }
                     return 0;
                 }));
    check_exited("inherited", 0, run_child([&] {
                     unsigned long one = mask[0] & -mask[0];
                     syscall(SYS_sched_setaffinity, 0, 8, &one);
                     return WEXITSTATUS(run_child([one] {
                         unsigned long got[16] = {};
                         syscall(SYS_sched_getaffinity, 0, sizeof got, got);
                         return got[0] == one ? 0 : 1;
                     }));
                 }));
    unsigned long none = 0;
    check_fails("no_cpu", EINVAL, syscall(SYS_sched_setaffinity, 0, 8, &none));
    check_fails("get_too_small", EINVAL, syscall(SYS_sched_getaffinity, 0, 0, mask));
    check_fails("get_odd_size", EINVAL, syscall(SYS_sched_getaffinity, 0, 9, mask));
    check_fails("nobody", ESRCH, syscall(SYS_sched_getaffinity, 999999, sizeof mask, mask));
    check_fails("set_nobody", ESRCH, syscall(SYS_sched_setaffinity, 999999, 8, mask));
    check_works("yield", sched_yield());
}

void test_unknown() {
    for (long number : {500l, 511l, 600l, 1000l, 4095l, 65535l, 0x7fffffffl, -1l}) {
        check_fails("number", ENOSYS, syscall(number, 1, 2, 3, 4, 5, 6));
    }
    int wrong = 0;
    for (long number = 600; number < 3000; number++) {
        wrong += !(syscall(number) == -1 && errno == ENOSYS);
    }
    check_equal("all_from_600", 0, wrong);
    check_works("lives_on", getpid());
}

void test_misc() {
    check_fails("arch_prctl", EINVAL, syscall(SYS_arch_prctl, 0x7777, 0));
    unsigned long base = 0;
    check_works("get_fs", syscall(SYS_arch_prctl, 0x1003, &base));
    check("fs_is_set", base != 0);
    check_works("sync", (sync(), 0));
    char name[100] = {};
    check_works("proc_self_exe", readlink("/proc/self/exe", name, sizeof name - 1));
    check_equal("proc_self_exe_is_absolute", '/', name[0]);
    check_fails("reboot_magic", EINVAL, syscall(SYS_reboot, 1, 2, 3, 4));
}
