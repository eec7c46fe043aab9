// Lab 7, tsc.cc: the arithmetic between ticks and nanoseconds, against 128 bits.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "kernel/arch/tsc.h"

namespace {

constexpr uint64_t kRates[] = {5'000'000,     999'999'937,   1'000'000'000, 2'394'373'001,
                               2'400'000'000, 3'999'999'999, 6'000'000'001};
constexpr uint64_t kMost = ~0ull;

uint64_t exact(uint64_t value, uint64_t to, uint64_t from) {
    auto result = static_cast<unsigned __int128>(value) * to / from;
    return result >> 64 ? kMost : static_cast<uint64_t>(result);
}

// Within a unit, or 2^-40 of the value.
bool close_to(uint64_t got, uint64_t wanted) {
    uint64_t difference = got > wanted ? got - wanted : wanted - got;
    return difference <= 1 + (wanted >> 40);
}

// Values of all magnitudes.
std::vector<uint64_t> values() {
    std::mt19937_64 random(7);
    std::vector<uint64_t> result = {0, 1, 2, kMost, kMost - 1};
    for (int bits = 1; bits < 64; bits++)
        for (int i = 0; i < 50; i++) result.push_back(random() >> (64 - bits));
    return result;
}

TEST(Tsc, KeepsTheRate) {
    for (uint64_t rate : kRates) {
        tsc_set_rate(rate);
        EXPECT_EQ(tsc_hz(), rate);
    }
}

TEST(Tsc, ConvertsTicksOfAnySize) {
    for (uint64_t rate : kRates) {
        tsc_set_rate(rate);
        for (uint64_t ticks : values()) {
            uint64_t wanted = exact(ticks, 1'000'000'000, rate);
            ASSERT_TRUE(close_to(tsc_to_ns(ticks), wanted))
                << ticks << " ticks at " << rate << " Hz are " << wanted << " ns, not "
                << tsc_to_ns(ticks) << ": ticks * 1000000000 overflows 64 bits after seconds";
        }
    }
}

TEST(Tsc, ConvertsNanosecondsOfAnySize) {
    for (uint64_t rate : kRates) {
        tsc_set_rate(rate);
        for (uint64_t ns : values()) {
            uint64_t wanted = exact(ns, rate, 1'000'000'000);
            ASSERT_TRUE(close_to(ns_to_tsc(ns), wanted))
                << ns << " ns at " << rate << " Hz are " << wanted << " ticks, not "
                << ns_to_tsc(ns);
        }
    }
}

TEST(Tsc, WholeSecondsStayWhole) {
    for (uint64_t rate : kRates) {
        tsc_set_rate(rate);
        for (uint64_t seconds : {1ull, 2ull, 60ull, 86400ull})
            EXPECT_EQ(tsc_to_ns(seconds * rate), seconds * 1'000'000'000) << rate << " Hz";
    }
}

TEST(Tsc, NeverGoesBack) {
    std::mt19937_64 random(8);
    for (uint64_t rate : kRates) {
        tsc_set_rate(rate);
        for (int i = 0; i < 1000; i++) {
            uint64_t ticks = random() >> (1 + i % 60);
            ASSERT_LE(tsc_to_ns(ticks), tsc_to_ns(ticks + 1)) << ticks << " at " << rate;
        }
    }
}

}  // namespace
