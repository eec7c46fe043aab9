// Checks that need a process of their own: it may die, change its identity or be killed.
#pragma once
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "user/tests/lib/check.h"

// A child that runs `body` and exits with what it returns; no core file.
template <typename Body>
pid_t start_child(Body&& body) {
    pid_t pid = fork();
    if (pid != 0) return pid;
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    _exit(body());
}

// The wait status of a child (-1: of any), -1 when it could not be had.
int wait_status(pid_t pid);

template <typename Body>
int run_child(Body&& body) {
    pid_t pid = start_child(body);
    return pid < 0 ? -1 : wait_status(pid);
}

// By wait status: the child exited with `code`, or was killed by `signal`.
bool check_exited(const char* name, int code, int status, Where where = Where::current());
bool check_killed(const char* name, int signal, int status, Where where = Where::current());
