// Lab 7 with a reader beside the writers: histograms that count while they are merged, and
// samples that are taken out while others come in. TSan sees what is read before it is written.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <thread>

#include "grader/suites/7-profiling/machine.h"
#include "kernel/metrics/histogram.h"

namespace {

TEST(HistogramRace, MergingSeesTrueCounts) {
    constexpr uint64_t kValues = 200'000;
    auto histogram = std::make_unique<Histogram>();
    std::atomic<bool> done{false};
    std::thread writer([&] {
        for (uint64_t i = 0; i < kValues; i++) histogram_add(*histogram, i % 1000);
        done = true;
    });
    uint64_t last = 0, backwards = 0;
    auto merged = std::make_unique<Histogram>();
    while (!done) {
        *merged = {};
        histogram_merge(*merged, *histogram);
        uint64_t count = histogram_count(*merged);
        backwards += count < last || count > kValues;
        last = count;
    }
    writer.join();
    *merged = {};
    histogram_merge(*merged, *histogram);
    EXPECT_EQ(backwards, 0u) << "counts went backwards or beyond what was added";
    EXPECT_EQ(histogram_count(*merged), kValues);
}

// Two CPUs tick; sample n of CPU c has name, leaf and caller that belong together.
TEST(SamplerRace, NoSampleIsTornOrLost) {
    constexpr uint32_t kTicks = 30'000;
    FakeMachine machine(2);
    ASSERT_TRUE(sampler_set(true).ok());
    std::atomic<int> running{2};
    auto cpu = [&](uint32_t index) {
        Ticked even("even"), odd("odd");
        FakeStack evens({kBeta + 0x11, kBeta + 0x11}), odds({kAlpha + 0x11, kAlpha + 0x11});
        machine.be(index, nullptr);
        for (uint32_t i = 0; i < kTicks; i++) {
            Ticked& ticked = i % 2 ? odd : even;
            host_cpu->current = &ticked.thread;
            ticked.user.rip = i % 2 ? 0x1111 : 0x2222;
            ticked.tick_in_kernel(i % 2 ? kAlpha : kBeta, (i % 2 ? odds : evens).rbp());
            if (i % 64 == 0) std::this_thread::yield();
        }
        host_cpu->current = host_cpu->idle;
        running--;
    };
    std::thread first(cpu, 0), second(cpu, 1);
    uint64_t got = 0, torn = 0;
    auto take = [&] {
        for (const std::string& line : take_samples()) {
            torn += line != "even;0x2221;beta;beta;beta 1" && line != "odd;0x1110;alpha;alpha;alpha 1";
            got++;
        }
    };
    while (running > 0) take();
    first.join();
    second.join();
    take();
    SamplerTotals totals = sampler_totals();
    EXPECT_EQ(torn, 0u) << "samples that were read half written, or written over while read";
    EXPECT_EQ(totals.taken, 2u * kTicks);
    EXPECT_EQ(got + totals.dropped, totals.taken) << "samples lost without being counted as drops";
}

// A tick is held in the middle of its walk: switching off must not return before it has ended.
// Who waits ends after the hold; who does not is given time to say so.
TEST(SamplerRace, SwitchingOffWaitsForATickUnderWay) {
    static std::atomic<bool> inside, release;
    inside = release = false;
    FakeMachine machine(1);
    ASSERT_TRUE(sampler_set(true).ok());
    user_memory = [](VirtAddr) {
        inside = true;
        while (!release) std::this_thread::yield();
        return false;
    };
    std::thread cpu([&] {
        Ticked ticked("held");
        machine.be(0, &ticked.thread);
        ticked.tick_in_user(0x5000, 0x7000);
        machine.be(0, nullptr);
    });
    while (!inside) std::this_thread::yield();
    std::promise<bool> waited;
    std::thread setter([&] {
        bool off = sampler_set(false).ok();
        waited.set_value(off && release);
    });
    std::future<bool> result = waited.get_future();
    result.wait_for(std::chrono::milliseconds(200));
    release = true;
    EXPECT_TRUE(result.get()) << "sampling was off while a tick was still at work";
    setter.join();
    cpu.join();
    user_memory = nullptr;
}

// Switched on and off while ticks come.
TEST(SamplerRace, SwitchingWaitsForTicks) {
    FakeMachine machine(1);
    std::atomic<bool> done{false};
    std::thread cpu([&] {
        Ticked ticked("spin");
        machine.be(0, &ticked.thread);
        while (!done) ticked.tick_in_user(0x5000, 0);
        machine.be(0, nullptr);
    });
    uint64_t wrong = 0;
    for (int i = 0; i < 300; i++) {
        ASSERT_TRUE(sampler_set(true).ok());
        std::this_thread::yield();
        ASSERT_TRUE(sampler_set(false).ok());
        for (const std::string& line : take_samples()) wrong += line != "spin;0x5000 1";
        uint64_t taken = sampler_totals().taken;
        std::this_thread::yield();
        ASSERT_EQ(sampler_totals().taken, taken) << "a tick was recorded after sampling was off";
    }
    done = true;
    cpu.join();
    EXPECT_EQ(wrong, 0u);
}

}  // namespace
