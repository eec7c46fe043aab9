// Tokens go to and fro: between two threads through a futex, between two processes through
// pipes, several pairs at once. Every step needs the partner's wake-up, so one that is lost
// stops its pair for good.
//
// Each step changes the token, by the number of who holds it; the end value can be had only
// by making all steps in turn. Reported: `handover_futex`, `handover_pipe`, sums of the ends.
// Host data: `handover_seed`, `handover_steps` (even).
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "user/tests/4-sched/crew.h"
#include "user/tests/lib/futex.h"
#include "user/tests/lib/report.h"
#include "user/tests/lib/shared_memory.h"

namespace {

constexpr unsigned kPairs = 4;

uint64_t steps, seed;

uint64_t next_token(uint64_t token, unsigned player) { return Sequence(token + player).next(); }

// ---- futex, threads ----

struct alignas(64) Ball {
    std::atomic<uint32_t> turn{0};
    uint64_t token = 0;
};
Ball balls[kPairs];

struct Player {
    Ball* ball;
    unsigned number;
};
std::atomic<unsigned> playing{2 * kPairs};

void* play(void* argument) {
    auto* me = static_cast<Player*>(argument);
    Ball& ball = *me->ball;
    for (;;) {
        uint32_t turn = ball.turn.load();
        if (turn >= steps) break;
        if (turn % 2 != me->number) {
            futex_wait(&ball.turn, turn, nullptr);
            continue;
        }
        ball.token = next_token(ball.token, me->number);
        ball.turn.store(turn + 1);
        futex_wake(&ball.turn, 1);
    }
    playing.fetch_sub(1);
    return nullptr;
}

bool test_futex() {
    Player players[2 * kPairs];
    for (unsigned i = 0; i < 2 * kPairs; i++) {
        players[i] = {&balls[i / 2], i % 2};
        balls[i / 2].token = seed + i / 2;
    }
    Crew crew(play, players, 2 * kPairs);
    bool good = watch(
        "handover.futex", "a wake-up was lost between FUTEX_WAIT's look and its sleep?",
        kPairs * steps, [] { return playing.load() == 0; },
        [] {
            uint64_t sum = 0;
            for (const Ball& ball : balls) sum += ball.turn.load();
            return sum;
        });
    if (!good) return false;
    crew.join();
    uint64_t sum = 0;
    for (const Ball& ball : balls) sum += ball.token;
    report("handover_futex", "%#lx", sum);
    return true;
}

// ---- pipes, processes ----

struct Board {
    std::atomic<uint64_t> made[2 * kPairs];
    std::atomic<uint64_t> ends[kPairs];
    std::atomic<unsigned> done;
};

[[noreturn]] void pass_on(Board* board, unsigned index, int in, int out) {
    uint64_t token = seed + index / 2 + 1000;
    unsigned number = index % 2;
    for (uint64_t i = 0; i < steps / 2; i++) {
        if ((i != 0 || number == 1) && read(in, &token, sizeof token) != sizeof token) _exit(1);
        token = next_token(token, number);
        if (write(out, &token, sizeof token) != sizeof token) _exit(2);
        board->made[index].fetch_add(1);
    }
    // The last step is player 1's, and comes back to player 0.
    if (number == 0 && read(in, &token, sizeof token) != sizeof token) _exit(3);
    if (number == 0) board->ends[index / 2] = token;
    board->done.fetch_add(1);
    _exit(0);
}

void test_pipes() {
    auto* board = shared_memory<Board>();
    pid_t children[2 * kPairs];
    for (unsigned pair = 0; pair < kPairs; pair++) {
        int forth[2], back[2];
        if (pipe(forth) != 0 || pipe(back) != 0) check_works("handover.pipe", -1);
        for (unsigned number = 0; number < 2; number++) {
            pid_t pid = fork();
            if (pid == 0) {
                pass_on(board, 2 * pair + number, number == 0 ? back[0] : forth[0],
                        number == 0 ? forth[1] : back[1]);
            }
            check_works("handover.fork", pid);
            children[2 * pair + number] = pid;
        }
        for (int fd : {forth[0], forth[1], back[0], back[1]}) close(fd);
    }
    bool good = watch(
        "handover.pipe", "a reader sleeps although there is data: a wake-up was lost?",
        kPairs * steps, [&] { return board->done.load() == 2 * kPairs; },
        [&] {
            uint64_t sum = 0;
            for (const auto& made : board->made) sum += made.load();
            return sum;
        });
    if (!good) {
        for (pid_t pid : children) kill(pid, SIGKILL);
    }
    for (pid_t pid : children) waitpid(pid, nullptr, 0);
    uint64_t sum = 0;
    for (const auto& end : board->ends) sum += end.load();
    report("handover_pipe", "%#lx", sum);
}

}  // namespace

int main() {
    steps = host_number("handover_steps", 1000);
    seed = host_number("handover_seed", 1);
    check_quietly(true);
    if (test_futex()) test_pipes();
    int status = check_summary("handover");
    fflush(nullptr);
    _exit(status);  // threads may be stuck
}
