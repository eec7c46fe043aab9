#include "user/tests/lib/check.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "user/tests/lib/report.h"

namespace {

const char* current_group = nullptr;
CheckCounts counts = {};
bool quiet = false;
char latest[100] = "";

void remember(const char* name) {
    snprintf(latest, sizeof latest, "%s%s%s", current_group == nullptr ? "" : current_group,
             current_group == nullptr ? "" : ".", name);
    counts.checks++;
}

void print(const char* line, size_t length) {
    while (length > 0) {
        ssize_t written = write(1, line, length);
        if (written <= 0) return;
        line += written;
        length -= written;
    }
}

const char* base_of(const char* path) {
    const char* user = strstr(path, "user/tests/");
    return user == nullptr ? path : user;
}

}  // namespace

void check_group(const char* group) { current_group = group; }
void check_quietly(bool now_quiet) { quiet = now_quiet; }
CheckCounts check_counts() { return counts; }
const char* check_latest() { return latest; }

void check_add(CheckCounts more) {
    counts.checks += more.checks;
    counts.failures += more.failures;
}

void check_passed(const char* name) {
    remember(name);
    if (quiet) return;
    char line[128];
    int length = snprintf(line, sizeof line, "ok %s\n", latest);
    print(line, length);
}

void check_failed(const char* name, Where where, const char* format, ...) {
    remember(name);
    counts.failures++;
    char text[240];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    char line[400];
    int length = snprintf(line, sizeof line, "FAIL %s: %s (%s:%u)\n", latest, text,
                          base_of(where.file_name()), static_cast<unsigned>(where.line()));
    if (length > static_cast<int>(sizeof line) - 1) length = sizeof line - 1;
    print(line, length);
    if (report_is_heard()) report("fail", "%.*s", length - 6, line + 5);
}

bool check(const char* name, bool held, Where where) {
    if (held) {
        check_passed(name);
    } else {
        check_failed(name, where, "expected it to hold, it does not");
    }
    return held;
}

bool check_equal(const char* name, long expected, long got, Where where) {
    if (expected == got) {
        check_passed(name);
        return true;
    }
    int error = errno;
    if (got == -1) {
        check_failed(name, where, "expected %ld, got -1 (%s)", expected, error_name(error));
    } else {
        check_failed(name, where, "expected %ld (%#lx), got %ld (%#lx)", expected, expected, got,
                     got);
    }
    return false;
}

bool check_fails(const char* name, int error, long got, Where where) {
    int actual = errno;
    if (got == -1 && actual == error) {
        check_passed(name);
        return true;
    }
    if (got == -1) {
        check_failed(name, where, "expected %s, got %s", error_name(error), error_name(actual));
    } else {
        check_failed(name, where, "expected %s, got success (%ld)", error_name(error), got);
    }
    return false;
}

bool check_works(const char* name, long got, Where where) {
    if (got != -1) {
        check_passed(name);
        return true;
    }
    check_failed(name, where, "expected success, got %s", error_name(errno));
    return false;
}

bool check_bytes(const char* name, const void* expected, const void* got, size_t size,
                 Where where) {
    const auto* a = static_cast<const unsigned char*>(expected);
    const auto* b = static_cast<const unsigned char*>(got);
    size_t at = 0;
    while (at < size && a[at] == b[at]) at++;
    if (at == size) {
        check_passed(name);
        return true;
    }
    check_failed(name, where, "expected %#x at byte %zu of %zu, got %#x", a[at], at, size, b[at]);
    return false;
}

bool check_text(const char* name, const char* expected, const char* got, Where where) {
    if (strcmp(expected, got) == 0) {
        check_passed(name);
        return true;
    }
    check_failed(name, where, "expected \"%s\", got \"%s\"", expected, got);
    return false;
}

int check_summary(const char* program) {
    char line[120];
    int length = snprintf(line, sizeof line, "%s: %u checks, %u failed\n", program,
                          counts.checks, counts.failures);
    print(line, length);
    if (report_is_heard()) {
        report("checks", "%u", counts.checks);
        report("failures", "%u", counts.failures);
    }
    return counts.failures == 0 ? 0 : 1;
}

const char* error_name(int error) {
    static const struct {
        int number;
        const char* name;
    } names[] = {
#define NAME(x) {x, #x}
        NAME(EPERM),   NAME(ENOENT),  NAME(ESRCH),        NAME(EINTR),   NAME(EIO),
        NAME(ENXIO),   NAME(E2BIG),   NAME(ENOEXEC),      NAME(EBADF),   NAME(ECHILD),
        NAME(EAGAIN),  NAME(ENOMEM),  NAME(EACCES),       NAME(EFAULT),  NAME(EBUSY),
        NAME(EEXIST),  NAME(EXDEV),   NAME(ENODEV),       NAME(ENOTDIR), NAME(EISDIR),
        NAME(EINVAL),  NAME(ENFILE),  NAME(EMFILE),       NAME(ENOTTY),  NAME(ETXTBSY),
        NAME(EFBIG),   NAME(ENOSPC),  NAME(ESPIPE),       NAME(EROFS),   NAME(EMLINK),
        NAME(EPIPE),   NAME(EDOM),    NAME(ERANGE),       NAME(EDEADLK), NAME(ENAMETOOLONG),
        NAME(ENOSYS),  NAME(ELOOP),   NAME(ENOTEMPTY),    NAME(ETIMEDOUT), NAME(EOVERFLOW),
        NAME(EOPNOTSUPP),
#undef NAME
    };
    for (const auto& entry : names) {
        if (entry.number == error) return entry.name;
    }
    static char other[24];
    snprintf(other, sizeof other, "errno %d", error);
    return other;
}

const char* signal_name(int signal) {
    static const char* const names[] = {
        "no signal", "SIGHUP",  "SIGINT",    "SIGQUIT", "SIGILL",    "SIGTRAP",  "SIGABRT",
        "SIGBUS",    "SIGFPE",  "SIGKILL",   "SIGUSR1", "SIGSEGV",   "SIGUSR2",  "SIGPIPE",
        "SIGALRM",   "SIGTERM", "SIGSTKFLT", "SIGCHLD", "SIGCONT",   "SIGSTOP",  "SIGTSTP",
        "SIGTTIN",   "SIGTTOU", "SIGURG",    "SIGXCPU", "SIGXFSZ",   "SIGVTALRM", "SIGPROF",
        "SIGWINCH",  "SIGIO",   "SIGPWR",    "SIGSYS"};
    if (signal >= 0 && signal < 32) return names[signal];
    static char other[24];
    snprintf(other, sizeof other, "signal %d", signal);
    return other;
}
