#include "user/tests/lib/child.h"

#include <stdio.h>

int wait_status(pid_t pid) {
    int status = 0;
    pid_t ended;
    do {
        ended = waitpid(pid, &status, 0);
    } while (ended < 0 && errno == EINTR);
    return ended > 0 ? status : -1;
}

namespace {

const char* ending_of(int status) {
    static char text[80];
    if (status == -1) {
        snprintf(text, sizeof text, "no child (%s)", error_name(errno));
    } else if (WIFEXITED(status)) {
        snprintf(text, sizeof text, "exit %d", WEXITSTATUS(status));
    } else if (WIFSIGNALED(status)) {
        snprintf(text, sizeof text, "death by %s", signal_name(WTERMSIG(status)));
    } else {
        snprintf(text, sizeof text, "wait status %#x", status);
    }
    return text;
}

}  // namespace

bool check_exited(const char* name, int code, int status, Where where) {
    if (status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == code) {
        check_passed(name);
        return true;
    }
    check_failed(name, where, "expected exit %d, got %s", code, ending_of(status));
    return false;
}

bool check_killed(const char* name, int signal, int status, Where where) {
    if (status != -1 && WIFSIGNALED(status) && WTERMSIG(status) == signal) {
        check_passed(name);
        return true;
    }
    check_failed(name, where, "expected death by %s, got %s", signal_name(signal),
                 ending_of(status));
    return false;
}
