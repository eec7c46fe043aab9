// Without handlers most programs here would wait for ever.
#pragma once
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

// Ends the program, with nothing checked, unless a handler runs.
inline void need_handlers() {
    static volatile sig_atomic_t ran;
    struct sigaction action {}, old {};
    action.sa_handler = [](int) { ran = 1; };
    sigaction(SIGUSR1, &action, &old);
    kill(getpid(), SIGUSR1);
    sigaction(SIGUSR1, &old, nullptr);
    if (ran != 0) return;
    fputs("no handler ran: kill(getpid(), SIGUSR1) came back without\n", stderr);
    exit(3);
}
