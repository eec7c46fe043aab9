// What programs with handlers share: a look whether there are any, and a stream of signals.
#pragma once
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <atomic>

// Ends the program, with nothing checked, unless a handler runs: without handlers most programs
// here would wait for ever.
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

// Between a program and the child that sends it signals, in shared memory.
struct Sending {
    std::atomic<uint64_t> handled{0};  // counted by the handler
    std::atomic<bool> stop{false};
};

// Sends SIGUSR1 as fast as they are handled, and the interrupted program makes progress.
inline int send_signals(pid_t target, Sending& sending) {
    while (!sending.stop) {
        uint64_t handled = sending.handled;
        kill(target, SIGUSR1);
        while (sending.handled == handled && !sending.stop) sched_yield();
        for (int i = 0; i < 3000; i++) asm volatile("pause");
    }
    return 0;
}
