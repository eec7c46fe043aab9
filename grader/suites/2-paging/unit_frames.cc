// Lab 2, frames.cc. The machine: machine.h.
#include <algorithm>
#include <set>
#include <thread>

#include "grader/suites/2-paging/machine.h"

namespace {

using Frames = host::MachineTest;

std::vector<Frame*> take(size_t count) {
    std::vector<Frame*> frames;
    while (frames.size() < count) {
        Result<Frame*> frame = frame_alloc();
        if (!frame.ok()) break;
        frames.push_back(frame.value());
    }
    return frames;
}
void drop(const std::vector<Frame*>& frames) {
    for (Frame* frame : frames) frame_unref(frame);
}

TEST_F(Frames, an_allocated_frame_has_one_reference_and_no_owner) {
    Frame* frame = frame_alloc().value();
    EXPECT_EQ(frame->references.load(), 1u);
    EXPECT_EQ(frame->owner, nullptr);
    EXPECT_EQ(frame->owner_data, 0u);
    EXPECT_FALSE(frame->link.linked());
    EXPECT_EQ(frame_of(frame_address(frame)), frame);
    EXPECT_GE(frame_address(frame), host::kRamStart);
    EXPECT_LT(frame_address(frame), host::kRamEnd);
    frame_unref(frame);
}

TEST_F(Frames, frames_in_use_are_distinct) {
    std::vector<Frame*> frames = take(1000);
    ASSERT_EQ(frames.size(), 1000u);
    EXPECT_EQ(std::set<Frame*>(frames.begin(), frames.end()).size(), 1000u);
    drop(frames);
}

TEST_F(Frames, only_the_last_reference_frees) {
    Frame* frame = frame_alloc().value();
    uint64_t free = frames_free();
    frame_ref(frame);
    frame_ref(frame);
    EXPECT_EQ(frame->references.load(), 3u);
    frame_unref(frame);
    frame_unref(frame);
    EXPECT_EQ(frames_free(), free);
    frame_unref(frame);
    EXPECT_EQ(frames_free(), free + 1);
}

TEST_F(Frames, all_of_memory_can_be_taken_and_given_back_three_times) {
    uint64_t free = frames_free();
    for (int round = 0; round < 3; ++round) {
        std::vector<Frame*> frames = take(free + 1);
        EXPECT_EQ(frames.size(), free) << "round " << round;
        EXPECT_EQ(frames_free(), 0u);
        Result<Frame*> none = frame_alloc();
        ASSERT_FALSE(none.ok());
        EXPECT_EQ(none.error().number(), ENOMEM);
        drop(frames);
        EXPECT_EQ(frames_free(), free);
    }
}

TEST_F(Frames, a_freed_frame_is_poisoned) {
    Frame* frame = frame_alloc().value();
    auto* bytes = static_cast<unsigned char*>(frame_data(frame));
    std::fill(bytes, bytes + kPageSize, 0x11);
    frame_unref(frame);
    EXPECT_TRUE(std::all_of(bytes, bytes + kPageSize, [](int b) { return b == 0xdd; }));
}

TEST_F(Frames, zeroed_frames_are_zero_also_when_recycled) {
    for (int round = 0; round < 200; ++round) {
        Frame* frame = frame_alloc_zeroed().value();
        auto* bytes = static_cast<unsigned char*>(frame_data(frame));
        ASSERT_TRUE(std::all_of(bytes, bytes + kPageSize, [](int b) { return b == 0; }));
        bytes[round] = 1;
        frame_unref(frame);
    }
}

TEST_F(Frames, freeing_twice_panics) {
    Frame* frame = frame_alloc().value();
    frame_unref(frame);
    EXPECT_DEATH(frame_unref(frame), "PANIC");
}

TEST_F(Frames, what_one_cpu_freed_and_drained_another_can_take) {
    uint64_t free = frames_free();
    host::become_cpu(1);
    std::vector<Frame*> frames = take(free);
    EXPECT_EQ(frames.size(), free);
    host::become_cpu(2);
    drop(frames);
    EXPECT_EQ(frames_free(), free);
    frames_drain_cache();
    EXPECT_EQ(frames_free(), free);
    host::become_cpu(3);
    frames = take(free);
    EXPECT_EQ(frames.size(), free) << "frames stayed in the cache of CPU 2";
    drop(frames);
    frames_drain_cache();
    host::become_cpu(0);
}

TEST_F(Frames, a_drained_cache_still_works) {
    frames_drain_cache();
    frames_drain_cache();
    std::vector<Frame*> frames = take(200);
    EXPECT_EQ(frames.size(), 200u);
    frames_drain_cache();
    drop(frames);
    frames_drain_cache();
}

TEST_F(Frames, the_interrupt_flag_is_kept) {
    x86::cli();
    frame_unref(frame_alloc().value());
    EXPECT_FALSE(x86::interrupts_enabled());
    x86::sti();
    frame_unref(frame_alloc().value());
    EXPECT_TRUE(x86::interrupts_enabled());
}

TEST_F(Frames, four_cpus_at_once_get_distinct_frames_and_lose_none) {
    uint64_t free = frames_free();
    std::atomic<bool> torn{false};
    auto work = [&](uint32_t cpu) {
        host::become_cpu(cpu);
        for (int round = 0; round < 300; ++round) {
            std::vector<Frame*> frames = take(20 + round % 170);
            for (Frame* frame : frames)
                *static_cast<uint64_t*>(frame_data(frame)) = cpu * 1000 + round;
            for (Frame* frame : frames)
                torn = torn ||
                       *static_cast<uint64_t*>(frame_data(frame)) != cpu * 1000u + round;
            drop(frames);
        }
        frames_drain_cache();
    };
    std::vector<std::thread> threads;
    for (uint32_t cpu = 0; cpu < 4; ++cpu) threads.emplace_back(work, cpu);
    for (std::thread& thread : threads) thread.join();
    EXPECT_FALSE(torn) << "two CPUs had the same frame";
    EXPECT_EQ(frames_free(), free);
}

TEST_F(Frames, shared_references_from_four_cpus_free_once) {
    for (int round = 0; round < 200; ++round) {
        Frame* frame = frame_alloc().value();
        for (int i = 0; i < 3; ++i) frame_ref(frame);
        std::vector<std::thread> threads;
        for (uint32_t cpu = 0; cpu < 4; ++cpu)
            threads.emplace_back([=] {
                host::become_cpu(cpu);
                frame_unref(frame);
            });
        for (std::thread& thread : threads) thread.join();
    }
}

}  // namespace
