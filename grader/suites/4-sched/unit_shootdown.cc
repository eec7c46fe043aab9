// Lab 4, shootdown.cc on the host: four host threads are the CPUs, a signal is the interrupt.
//
// What is rare on a machine is made to happen here each time: an answer that comes late, two
// initiators that ask each other at the same moment, a CPU that is slow to flush.
//
// The interrupt line is a level, as real ones are: as long as a CPU has work pending and its
// interrupts are on, it is interrupted. A thread of its own sends the signals.
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>

#include <bit>
#include <chrono>
#include <thread>
#include <vector>

#include "grader/suites/4-sched/machine.h"
#include "kernel/arch/smp.h"
#include "kernel/mm/page_map.h"

namespace {

constexpr uint32_t kCpus = 4;
constexpr VirtAddr kPage = 0x7000'0000'0000;
using Clock = std::chrono::steady_clock;
constexpr auto kPatience = std::chrono::milliseconds(300);
// Of an interrupt between CPUs that meet: both wait by then.
constexpr auto kTravel = std::chrono::milliseconds(10);

struct Board {
    std::atomic<uint32_t> sent[kCpus];      // interrupts to each CPU
    std::atomic<CpuMask> flushed;           // CPUs that have flushed, or let go of the space
    std::atomic<CpuMask> flushed_at_end;    // the same when finish() was called
    std::atomic<uint32_t> polls;            // by CPUs that wait
    std::atomic<bool> finished;             // finish() of the test's batch was called
    std::atomic<CpuMask> meet;              // CPUs that shall be in ipi_send at once
    std::atomic<CpuMask> there;
    std::atomic<Clock::time_point> arrival;  // of the interrupts that they send
    std::atomic<bool> slow_flush;           // of CPU 1
    const TlbBatch* batch;
} board;

void (*handlers[3])();
std::atomic<pthread_t> host_threads[kCpus];

void run_pending() {
    uint32_t work = this_cpu().ipi_pending.exchange(0);
    ++this_cpu().interrupt_depth;
    for (; work != 0; work &= work - 1) handlers[std::countr_zero(work)]();
    --this_cpu().interrupt_depth;
}

void on_signal(int) {
    if (host_cpu == nullptr || !x86::interrupts_enabled()) return;
    if (board.meet.load() != 0 && Clock::now() < board.arrival.load()) return;
    InterruptsOff off;
    run_pending();
}

void interrupt(uint32_t cpu) {
    pthread_t thread = host_threads[cpu].load();
    if (thread != 0) pthread_kill(thread, SIGUSR1);
}

// Until `done`, or nobody waits any longer for something that a wrong unit does at once.
template <typename Done>
void give_time(Done done) {
    auto limit = Clock::now() + kPatience;
    while (!done() && Clock::now() < limit) x86::pause();
}

}  // namespace

// ---- What shootdown.cc finds around it ----

void ipi_set_handler(IpiWork work, void (*handler)()) {
    handlers[std::countr_zero(static_cast<uint32_t>(work))] = handler;
}

void ipi_send(Cpu& cpu, IpiWork work) {
    CpuMask self = 1u << this_cpu().id;
    if ((board.meet.load() & self) != 0 && (board.there.fetch_or(self) & self) == 0) {
        give_time([] { return board.there.load() == board.meet.load(); });
        board.arrival = Clock::now() + kTravel;
    }
    board.sent[cpu.id].fetch_add(1);
    if ((cpu.ipi_pending.fetch_or(work) & work) == 0) interrupt(cpu.id);
}

void ipi_poll() {
    x86::pause();
    board.polls.fetch_add(1);
    if (this_cpu().ipi_pending.load() == 0) return;
    InterruptsOff off;
    run_pending();
}

CpuMask online_cpus() {
    CpuMask online = 0;
    for (uint32_t i = 0; i < cpu_count; ++i) online |= CpuMask{cpus[i].online.load()} << i;
    return online;
}

void tlb_flush_local(const TlbBatch&) {
    // A CPU that takes its time: who does not wait for it has ended meanwhile.
    if (board.slow_flush.load() && this_cpu().id == 1) {
        uint32_t polls = board.polls.load();
        give_time([polls] { return board.finished.load() || board.polls.load() > polls + 1000; });
    }
    board.flushed.fetch_or(1u << this_cpu().id);
}

void leave_space() {
    this_cpu().active_space = nullptr;
    board.flushed.fetch_or(1u << this_cpu().id);
}

void TlbBatch::finish() {
    page_count_ = shared_count_ = 0;
    if (this != board.batch) return;
    board.flushed_at_end = board.flushed.load();
    board.finished = true;
}

TlbBatch::~TlbBatch() {}

namespace {

// ---- The machine ----

class Shootdown : public testing::Test {
  protected:
    Shootdown() {
        struct sigaction action = {};
        action.sa_handler = on_signal;
        action.sa_flags = SA_RESTART;
        sigaction(SIGUSR1, &action, nullptr);
        for (auto& count : board.sent) count = 0;
        board.flushed = board.flushed_at_end = board.polls = 0;
        board.finished = board.slow_flush = false;
        board.meet = board.there = 0;
        board.arrival = Clock::time_point::min();
        board.batch = &batch_;
        for (uint32_t i = 0; i < kCpus; ++i) {
            cpus[i].ipi_pending = 0;
            run_here(i, space_);
        }
        shootdown_init();
    }

    // CPU `id` runs a thread of `space`.
    void run_here(uint32_t id, ActiveSpace& space) {
        threads_[id].space = cpus[id].active_space = &space;
        cpus[id].current = &threads_[id];
        for (ActiveSpace* each : {&space_, &other_space_}) each->cpus &= ~(1u << id);
        space.cpus |= 1u << id;
    }

    // Each work is what a CPU does; CPUs without run their program until all works are done.
    template <typename... Work>
    void run(Work... works) {
        std::function<void()> list[kCpus] = {works...};
        std::atomic<uint32_t> busy{sizeof...(works)};
        std::atomic<uint32_t> up{0}, online{0}, ended{0};
        for (uint32_t i = 0; i < kCpus; ++i) online += cpus[i].online ? 1 : 0;
        auto be_cpu = [&](uint32_t id) {
            machine_.be(id);
            host_threads[id] = pthread_self();
            up.fetch_add(1);
            while (up.load() < online) x86::pause();
            if (list[id]) {
                list[id]();
                busy.fetch_sub(1);
            }
            while (busy.load() != 0 || this_cpu().ipi_pending.load() != 0) x86::pause();
            x86::cli();
            ended.fetch_add(1);
        };
        std::vector<std::thread> running;
        for (uint32_t i = 0; i < kCpus; ++i) {
            if (cpus[i].online) running.emplace_back(be_cpu, i);
        }
        // A late signal must find its thread: they are joined after the last one is sent. And
        // it is sent until it is taken, also to a CPU whose interrupts were off to the end.
        std::atomic<bool> end{false};
        std::thread line([&] {
            while (!end) {
                for (uint32_t i = 0; i < kCpus; ++i) {
                    if (cpus[i].ipi_pending.load() != 0) interrupt(i);
                }
                std::this_thread::sleep_for(std::chrono::microseconds(200));
            }
        });
        while (ended.load() != online) std::this_thread::sleep_for(std::chrono::microseconds(200));
        end = true;
        line.join();
        for (std::thread& thread : running) thread.join();
        for (auto& thread : host_threads) thread = 0;
    }

    void shoot() { run([&] { tlb_shootdown(space_, batch_); }); }

    void fill(TlbBatch& batch, uint32_t pages) {
        for (uint32_t i = 0; i < pages; ++i) batch.add_page(kPage + i * 4096ull);
    }

    void expect_all_flushed(CpuMask wanted) {
        ASSERT_TRUE(board.finished) << "batch.finish() was not called: its frames are lost";
        for (uint32_t i = 0; i < kCpus; ++i) {
            if (((wanted >> i) & 1) == 0) continue;
            EXPECT_NE((board.flushed_at_end >> i) & 1, 0u)
                << "CPU " << i << " was not waited for: it had not flushed when the memory was "
                << "given away (batch.finish())";
        }
    }

    FakeMachine machine_{kCpus};
    Watchdog watchdog_{"an initiator that waits must answer the others: they wait for it. Or is "
                       "an answer awaited from a CPU that was not asked, or is not online?"};
    Thread threads_[kCpus];
    ActiveSpace space_, other_space_;
    TlbBatch batch_{&space_};
};

// ---- Who is asked ----

TEST_F(Shootdown, InterruptsTheCpusOfTheSpaceAndNoOther) {
    run_here(2, other_space_);
    run_here(3, other_space_);
    fill(batch_, 1);
    shoot();
    expect_all_flushed(0b0011);
    EXPECT_GE(board.sent[1], 1u) << "CPU 1 runs the address space";
    for (uint32_t i : {2, 3}) {
        EXPECT_EQ(board.sent[i], 0u)
            << "CPU " << i << " was interrupted, which does not run this address space "
            << "(ActiveSpace::cpus)";
    }
}

TEST_F(Shootdown, SendsOneInterruptForABatch) {
    fill(batch_, TlbBatch::kMaxPages);
    shoot();
    expect_all_flushed(0b1111);
    for (uint32_t i : {1, 2, 3})
        EXPECT_EQ(board.sent[i], 1u) << "interrupts to CPU " << i << " for one batch of "
                                     << TlbBatch::kMaxPages << " pages";
}

TEST_F(Shootdown, KernelAddressesReachAllCpusThatAreOnline) {
    cpus[3].online = false;
    run_here(2, other_space_);
    fill(batch_, 1);
    run([&] { tlb_shootdown_kernel(batch_); });
    expect_all_flushed(0b0111);
}

TEST_F(Shootdown, AnEmptyBatchDisturbsNobody) {
    shoot();
    EXPECT_TRUE(board.finished);
    for (uint32_t i : {1, 2, 3}) EXPECT_EQ(board.sent[i], 0u);
}

// ---- Waiting ----

// CPU 1 has its interrupts off for a while, as under any spin lock.
TEST_F(Shootdown, WaitsForACpuWhoseInterruptsAreOff) {
    fill(batch_, 3);
    run([&] { tlb_shootdown(space_, batch_); },
        [&] {
            InterruptsOff off;
            while (board.sent[1] == 0) x86::pause();
            uint32_t polls = board.polls.load();
            give_time([=] { return board.finished.load() || board.polls.load() > polls + 1000; });
        });
    expect_all_flushed(0b1111);
}

TEST_F(Shootdown, AnswersComeAfterTheFlush) {
    board.slow_flush = true;
    fill(batch_, 3);
    shoot();
    expect_all_flushed(0b1111);
}

// Two CPUs have sent their requests to each other, and now both wait.
TEST_F(Shootdown, TwoInitiatorsAnswerEachOther) {
    for (int round = 0; round < 20; ++round) {
        TlbBatch first, second;
        fill(first, 2);
        fill(second, 2);
        board.there = 0;
        board.arrival = Clock::time_point::max();
        board.meet = 0b0011;
        run([&] { tlb_shootdown_kernel(first); }, [&] { tlb_shootdown_kernel(second); });
        // A unit that serves one request at a time lets them meet never; it need not.
        if (board.there != 0b0011) break;
    }
    EXPECT_EQ(board.flushed, 0b1111u);
}

}  // namespace
