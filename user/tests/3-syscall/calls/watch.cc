// Lab 3, `calls watch`: one process that makes one system call again and again, for the host to
// follow through the kernel instruction by instruction (grader/suites/3-syscall/boot_entry.cc).
//
// The call is uname, which copies to user memory. R9, an argument it does not have, holds a
// mark by which the host knows it; the other registers hold bytes drawn from `watch_seed`,
// and the flags are all that a program can set to do harm.
//
// At the end the host sends the process to an address that is not canonical. It must die of
// SIGSEGV, and nothing else may happen; without a host it is killed.
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "user/tests/3-syscall/calls/calls.h"
#include "user/tests/lib/child.h"

namespace {

constexpr uint64_t kMark = 0x6d656c6c6f2d6c33;  // "mello-l3"
constexpr uint64_t kFlags = 0x44603;            // AC NT DF IF CF, and the reserved bit
constexpr int kPatience = 1000;                 // milliseconds

utsname name;

}  // namespace

int watch() {
    Sequence random(host_number("watch_seed", 1));
    random.fill(&probe_in, sizeof probe_in);
    probe_in.rax = SYS_uname;
    probe_in.rdi = address(&name);
    probe_in.r9 = kMark;
    probe_in.rflags = kFlags;
    report("watch_return", "%#lx", address(probe_return_address));

    pid_t child = start_child([] {
        for (;;) probe_syscall();
        return 0;
    });
    wait_for_host();
    int status = 0;
    for (int i = 0; i < kPatience && waitpid(child, &status, WNOHANG) == 0; i++) {
        timespec moment = {0, 1000000};
        nanosleep(&moment, nullptr);
    }
    if (status == 0) {
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
    }
    report("watch_status", "%d", status);
    return check_summary("watch");
}
