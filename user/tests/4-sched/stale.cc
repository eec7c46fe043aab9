// Translations that one CPU takes away must be gone on all of them when the call returns.
//
// The main thread, on CPU 0, maps 64 pages; a victim on each other CPU writes to one of them
// over and over. Then munmap, or mprotect to read-only. From the moment that call has
// returned every write must fault; a victim whose TLB still holds the page writes on, into
// memory that may belong to somebody else by now. And fork: a thread that writes on while
// another forks must not write into the child's copy.
//
// Reported: `stale_unmap`, `stale_protect`: writes that should have faulted;
// `stale_first` ROUND CPU PAGE of the first; `stale_rounds`; `stale_fork`: children that saw
// their memory change.
// Host data: `stale_seed`, `stale_rounds`.
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <ucontext.h>

#include "user/tests/4-sched/crew.h"
#include "user/tests/lib/report.h"
#include "user/tests/lib/shared_memory.h"

// bool try_write(uint64_t* to, uint64_t value): false when the write faults.
asm(R"(
        .pushsection .text
        .globl try_write, try_write_at, try_write_failed
try_write:
        movl $1, %eax
try_write_at:
        movq %rsi, (%rdi)
        ret
try_write_failed:
        xorl %eax, %eax
        ret
        .popsection
)");
extern "C" bool try_write(volatile uint64_t* to, uint64_t value);
extern "C" char try_write_at[], try_write_failed[];

namespace {

constexpr unsigned kMostVictims = 7;
constexpr size_t kPage = 4096;
constexpr unsigned kPages = 64;

void on_fault(int, siginfo_t*, void* context) {
    auto& rip = static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP];
    if (rip != reinterpret_cast<greg_t>(try_write_at)) {
        check_failed("stale.faults", Where::current(),
                     "a thread faulted at %#llx, far from the write that may: what it needs was "
                     "overwritten. Frames went to a new owner while a CPU still wrote to them: "
                     "that CPU was not waited for, or not asked", rip);
        _exit(check_summary("stale"));
    }
    rip = reinterpret_cast<greg_t>(try_write_failed);
}

struct alignas(64) Victim {
    unsigned cpu;
    volatile uint64_t* target;
    std::atomic<uint64_t> begun, warm, checked;  // rounds
    uint64_t stale = 0;
    bool last_stale = false;
};
Victim victims[kMostVictims];
unsigned victim_count;
std::atomic<uint64_t> taken_away{0};  // round
std::atomic<bool> stop{false};

void* be_victim(void* argument) {
    auto* me = static_cast<Victim*>(argument);
    pin_to_cpu(me->cpu);
    for (uint64_t round = 1;; round++) {
        while (me->begun.load() != round) {
            if (stop.load()) return nullptr;
            relax();
        }
        try_write(me->target, 1);
        me->warm.store(round);
        while (taken_away.load(std::memory_order_acquire) != round) try_write(me->target, 2);
        me->last_stale = try_write(me->target, 3);
        me->stale += me->last_stale ? 1 : 0;
        me->checked.store(round);
    }
}

template <typename Condition>
void wait_for_all(Condition condition) {
    for (unsigned i = 0; i < victim_count; i++) {
        while (!condition(victims[i])) relax();
    }
}

uint64_t run_rounds(uint64_t first, uint64_t count, Sequence& sequence, bool unmap) {
    uint64_t before = 0, after = 0;
    for (unsigned i = 0; i < victim_count; i++) before += victims[i].stale;
    for (uint64_t round = first; round < first + count; round++) {
        void* area = mmap(nullptr, kPages * kPage, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (area == MAP_FAILED) _exit(111);
        memset(area, 1, kPages * kPage);
        for (unsigned i = 0; i < victim_count; i++) {
            uint64_t page = sequence.below(kPages);
            victims[i].target = static_cast<uint64_t*>(area) + page * kPage / 8 + i;
            victims[i].begun.store(round);
        }
        wait_for_all([&](Victim& v) { return v.warm.load() == round; });
        if (unmap) {
            munmap(area, kPages * kPage);
        } else {
            mprotect(area, kPages * kPage, PROT_READ);
        }
        taken_away.store(round, std::memory_order_release);
        wait_for_all([&](Victim& v) { return v.checked.load() == round; });
        for (unsigned i = 0; i < victim_count; i++) {
            static bool told = false;
            if (!victims[i].last_stale || told) continue;
            told = true;
            report("stale_first", "%lu %u %lu", round, victims[i].cpu,
                   (reinterpret_cast<uint64_t>(victims[i].target) -
                    reinterpret_cast<uint64_t>(area)) / kPage);
        }
        if (!unmap) munmap(area, kPages * kPage);
    }
    for (unsigned i = 0; i < victim_count; i++) after += victims[i].stale;
    return after - before;
}

// ---- fork ----

struct Board {
    std::atomic<uint64_t> writes;
};
Board* board;
volatile uint64_t* written;

void* keep_writing(void*) {
    pin_to_cpu(1);
    for (uint64_t n = 1; !stop.load(std::memory_order_relaxed); n++) {
        *written = n;
        board->writes.store(n, std::memory_order_release);
    }
    return nullptr;
}

// In the child: our copy must stand still while the writer goes on.
int watch_copy() {
    uint64_t seen = *written, start = board->writes.load();
    while (board->writes.load() < start + 2000) relax();
    return *written == seen ? 0 : 1;
}

uint64_t test_fork(uint64_t rounds) {
    stop = false;
    int unused = 0;
    Crew writer(keep_writing, &unused, 1);
    uint64_t changed = 0;
    for (uint64_t i = 0; i < rounds; i++) {
        pid_t pid = fork();
        if (pid == 0) _exit(watch_copy());
        int status = 0;
        waitpid(pid, &status, 0);
        changed += status != 0;
    }
    stop = true;
    writer.join();
    return changed;
}

}  // namespace

int main() {
    Sequence sequence(host_number("stale_seed", 1));
    uint64_t rounds = host_number("stale_rounds", 100);
    struct sigaction action = {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGSEGV, &action, nullptr);
    unsigned cpus = cpu_count();
    pin_to_cpu(0);
    victim_count = cpus - 1;
    for (unsigned i = 0; i < victim_count; i++) victims[i].cpu = i + 1;
    Crew crew(be_victim, victims, victim_count);
    report("stale_unmap", "%lu", run_rounds(1, rounds, sequence, true));
    report("stale_protect", "%lu", run_rounds(rounds + 1, rounds, sequence, false));
    stop = true;
    crew.join();
    board = shared_memory<Board>();
    written = static_cast<uint64_t*>(mmap(nullptr, kPage, PROT_READ | PROT_WRITE,
                                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    report("stale_fork", "%lu", test_fork(rounds / 10 + 1));
    report("stale_rounds", "%lu", rounds);
    return check_summary("stale");
}
