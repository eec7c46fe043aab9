// Lab 2, frames.cc on four CPUs at once, under TSan: whatever two of them touch without the
// lock between them is reported. The machine: machine.h.
#include <thread>

#include "grader/suites/2-paging/machine.h"

namespace {

using FrameRaces = host::MachineTest;

// Runs work(cpu) on four CPUs; their caches are drained at the end.
template <typename Work>
void on_four_cpus(Work work) {
    std::vector<std::thread> threads;
    for (uint32_t cpu = 0; cpu < 4; ++cpu)
        threads.emplace_back([cpu, &work] {
            host::become_cpu(cpu);
            work(cpu);
            frames_drain_cache();
        });
    for (std::thread& thread : threads) thread.join();
}

// Each CPU frees what another one allocated, so that frames travel through the shared list.
TEST_F(FrameRaces, frames_travel_between_cpus_without_a_race) {
    constexpr size_t kFrames = 150;
    std::vector<Frame*> boxes[4];
    std::atomic<uint32_t> full[4] = {}, empty[4] = {};
    on_four_cpus([&](uint32_t cpu) {
        std::vector<Frame*>& ours = boxes[cpu];
        std::vector<Frame*>& theirs = boxes[(cpu + 1) % 4];
        for (uint32_t round = 1; round <= 20; ++round) {
            while (ours.size() < kFrames) {
                Frame* frame = frame_alloc().value();
                *static_cast<uint64_t*>(frame_data(frame)) = cpu;
                ours.push_back(frame);
            }
            full[cpu].store(round, std::memory_order_release);
            while (full[(cpu + 1) % 4].load(std::memory_order_acquire) < round)
                std::this_thread::yield();
            for (Frame* frame : theirs) {
                EXPECT_EQ(*static_cast<uint64_t*>(frame_data(frame)), (cpu + 1) % 4);
                frame_unref(frame);
            }
            theirs.clear();
            empty[(cpu + 1) % 4].store(round, std::memory_order_release);
            while (empty[cpu].load(std::memory_order_acquire) < round)
                std::this_thread::yield();
        }
    });
}

// The one who drops the last reference frees the frame, and must see what the others wrote
// while they held theirs: release and acquire on the count.
TEST_F(FrameRaces, dropping_references_orders_the_writes_before) {
    constexpr int kRounds = 100;
    std::vector<Frame*> frames;
    for (int round = 0; round < kRounds; ++round) {
        frames.push_back(frame_alloc().value());
        for (int i = 0; i < 3; ++i) frame_ref(frames.back());
    }
    on_four_cpus([&](uint32_t cpu) {
        for (Frame* frame : frames) {
            static_cast<uint64_t*>(frame_data(frame))[cpu] = cpu;
            frame_unref(frame);
        }
    });
}

// One reference each for all four, taken and dropped at once. On a busy host the four may run
// one after the other, so what counts is not rounds but those in which another CPU moved.
TEST_F(FrameRaces, references_are_counted_atomically) {
    constexpr uint64_t kMeetings = 5000, kMostRounds = 2'000'000;
    Frame* frame = frame_alloc().value();
    std::atomic<uint64_t> rounds[4] = {};
    std::atomic<uint32_t> ready{0};
    std::atomic<bool> enough{false};
    on_four_cpus([&](uint32_t cpu) {
        ready.fetch_add(1);
        while (ready.load() < 4) std::this_thread::yield();
        uint64_t seen = 0, meetings = 0;
        for (uint64_t i = 0; i < kMostRounds && !enough.load(); ++i) {
            frame_ref(frame);
            frame_unref(frame);
            rounds[cpu].fetch_add(1, std::memory_order_relaxed);
            uint64_t others = 0;
            for (uint32_t other = 0; other < 4; ++other)
                if (other != cpu) others += rounds[other].load(std::memory_order_relaxed);
            meetings += others != seen ? 1 : 0;
            seen = others;
            if (meetings == kMeetings) enough = true;
        }
        enough = true;
    });
    EXPECT_EQ(frame->references.load(), 1u) << "a reference was lost or counted twice";
    frame_unref(frame);
}

}  // namespace
