// Lab 5, ring.cc on the host, against a queue of the standard library.
#include "kernel/base/ring.h"

#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <numeric>
#include <random>
#include <vector>

namespace {

class RingTest : public testing::Test {
  protected:
    void start(uint32_t capacity, uint64_t position = 0) {
        // Guard bytes around the memory show a copy that goes beyond it.
        memory_.assign(capacity + 2 * kGuard, 0xee);
        ring_init(ring_, memory_.data() + kGuard, capacity);
        ring_.head = ring_.tail = position;
    }
    void TearDown() override {
        for (size_t i = 0; i < kGuard; i++) {
            EXPECT_EQ(memory_[i], 0xee) << "byte " << i - kGuard << " was overwritten";
            EXPECT_EQ(memory_[memory_.size() - 1 - i], 0xee) << "written behind the end";
        }
    }
    static std::vector<unsigned char> numbered(size_t size, unsigned char first = 0) {
        std::vector<unsigned char> bytes(size);
        std::iota(bytes.begin(), bytes.end(), first);
        return bytes;
    }

    static constexpr size_t kGuard = 64;
    std::vector<unsigned char> memory_ = std::vector<unsigned char>(2 * kGuard, 0xee);
    Ring ring_;
};

TEST_F(RingTest, IsEmptyAfterInit) {
    start(16);
    unsigned char byte;
    EXPECT_EQ(ring_used(ring_), 0u);
    EXPECT_EQ(ring_free(ring_), 16u);
    EXPECT_EQ(ring_read(ring_, &byte, 1), 0u);
    EXPECT_TRUE(ring_read_span(ring_, 1).empty());
}

TEST_F(RingTest, HoldsItsWholeCapacity) {
    start(16);
    auto bytes = numbered(20);
    EXPECT_EQ(ring_write(ring_, bytes.data(), 20), 16u)
        << "returns what fitted, not the request";
    EXPECT_EQ(ring_used(ring_), 16u);
    EXPECT_EQ(ring_free(ring_), 0u);
    EXPECT_EQ(ring_write(ring_, bytes.data(), 1), 0u);
    EXPECT_TRUE(ring_write_span(ring_, 1).empty());
}

TEST_F(RingTest, ReturnsWhatWasThere) {
    start(16);
    auto bytes = numbered(5);
    std::vector<unsigned char> out(16, 0xaa);
    ASSERT_EQ(ring_write(ring_, bytes.data(), 5), 5u);
    EXPECT_EQ(ring_read(ring_, out.data(), 16), 5u);
    EXPECT_EQ(memcmp(out.data(), bytes.data(), 5), 0);
    EXPECT_EQ(out[5], 0xaa) << "wrote more than it returned";
}

TEST_F(RingTest, CopiesAcrossTheEndOfTheMemory) {
    for (uint64_t start_at = 0; start_at < 16; start_at++) {
        start(16, start_at);
        auto bytes = numbered(16, 100);
        std::vector<unsigned char> out(16);
        ASSERT_EQ(ring_write(ring_, bytes.data(), 16), 16u);
        ASSERT_EQ(ring_read(ring_, out.data(), 16), 16u);
        EXPECT_EQ(out, bytes) << "positions starting at " << start_at;
    }
}

TEST_F(RingTest, PositionsMayOverflow) {
    start(16, ~0ull - 5);
    auto bytes = numbered(16, 7);
    std::vector<unsigned char> out(16);
    ASSERT_EQ(ring_write(ring_, bytes.data(), 16), 16u);
    EXPECT_EQ(ring_used(ring_), 16u);
    ASSERT_EQ(ring_read(ring_, out.data(), 16), 16u);
    EXPECT_EQ(out, bytes);
    EXPECT_EQ(ring_used(ring_), 0u);
}

TEST_F(RingTest, SpansAreContiguousAndCommitted) {
    start(16, 12);
    auto span = ring_write_span(ring_, 10);
    ASSERT_EQ(span.size(), 4u) << "a span ends where the memory ends";
    memcpy(span.data(), "abcd", 4);
    EXPECT_EQ(ring_used(ring_), 0u) << "nothing is there before the commit";
    ring_commit_write(ring_, 3);
    EXPECT_EQ(ring_used(ring_), 3u);
    auto out = ring_read_span(ring_, 10);
    ASSERT_EQ(out.size(), 3u);
    EXPECT_EQ(memcmp(out.data(), "abc", 3), 0);
    ring_commit_read(ring_, 2);
    EXPECT_EQ(ring_used(ring_), 1u);
    EXPECT_EQ(ring_read_span(ring_, 10)[0], 'c');
}

TEST_F(RingTest, SpansHonourTheLimit) {
    start(16);
    EXPECT_EQ(ring_write_span(ring_, 3).size(), 3u);
    EXPECT_TRUE(ring_write_span(ring_, 0).empty());
    ring_write(ring_, "0123456789", 10);
    EXPECT_EQ(ring_read_span(ring_, 4).size(), 4u);
}

TEST_F(RingTest, ZeroBytesAreNothing) {
    start(16);
    EXPECT_EQ(ring_write(ring_, nullptr, 0), 0u);
    EXPECT_EQ(ring_read(ring_, nullptr, 0), 0u);
}

TEST_F(RingTest, BehavesLikeAQueue) {
    std::mt19937 random(1);
    for (uint32_t capacity : {1u, 2u, 8u, 64u, 1024u}) {
        start(capacity, random());
        std::deque<unsigned char> model;
        unsigned char next = 0;
        for (int step = 0; step < 4000; step++) {
            size_t size = random() % (capacity + 3);
            std::vector<unsigned char> bytes(size);
            if (random() % 2 == 0) {
                for (auto& byte : bytes) byte = next++;
                size_t written = ring_write(ring_, bytes.data(), size);
                ASSERT_EQ(written, std::min<size_t>(size, capacity - model.size()));
                next -= static_cast<unsigned char>(size - written);
                model.insert(model.end(), bytes.begin(), bytes.begin() + written);
            } else {
                size_t read = ring_read(ring_, bytes.data(), size);
                ASSERT_EQ(read, std::min(size, model.size()));
                for (size_t i = 0; i < read; i++, model.pop_front())
                    ASSERT_EQ(bytes[i], model.front()) << "at step " << step;
            }
            ASSERT_EQ(ring_used(ring_), model.size());
            ASSERT_EQ(ring_free(ring_), capacity - model.size());
        }
    }
}

}  // namespace
