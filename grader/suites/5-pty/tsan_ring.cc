// Lab 5, ring.cc with its two sides at work at once: one thread writes, one reads, as in a
// pipe or a terminal. TSan sees data that is touched before the position that hands it over.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <random>
#include <thread>

#include "kernel/base/ring.h"

namespace {

constexpr size_t kMost = 100;  // bytes moved at a time, more than the small rings hold
// Rounds in a row without a byte before a side gives up: the other side is alive, so it can
// only have lost its place.
constexpr size_t kPatience = 20'000'000;

unsigned char byte_at(size_t position) {
    return static_cast<unsigned char>(position * 7 + position / 251);
}

// Moves `total` bytes through a ring of `capacity`. write(ring, position, size) and
// read(ring, position, size, wrong) say how many they moved.
template <typename Write, typename Read>
void run_both_sides(uint32_t capacity, size_t total, Write write, Read read) {
    auto memory = std::make_unique<unsigned char[]>(capacity);
    Ring ring;
    ring_init(ring, memory.get(), capacity);
    ring.head = ring.tail = ~0ull - 1000;  // the positions overflow on the way
    std::atomic<bool> stuck{false};
    auto side = [&](unsigned seed, auto move) {
        std::mt19937 random(seed);
        size_t done = 0, idle = 0;
        while (done < total && !stuck) {
            size_t moved = move(done, std::min<size_t>(1 + random() % kMost, total - done));
            done += moved;
            idle = moved == 0 ? idle + 1 : 0;
            if (idle > 20) std::this_thread::yield();
            if (idle > kPatience) stuck = true;
        }
        return done;
    };
    size_t wrong = 0, too_many = 0;
    std::thread writer([&] {
        side(2, [&](size_t at, size_t size) { return write(ring, at, size); });
    });
    size_t got = side(3, [&](size_t at, size_t size) {
        size_t moved = read(ring, at, size, wrong);
        too_many += moved > size;
        return std::min(moved, size);
    });
    writer.join();
    EXPECT_EQ(got, total) << "bytes that were written never came out";
    EXPECT_EQ(too_many, 0u) << "reads that returned more than was asked for";
    EXPECT_EQ(wrong, 0u) << "bytes that were read before they were written";
    EXPECT_EQ(ring_used(ring), 0u);
}

void copies(uint32_t capacity, size_t total) {
    run_both_sides(
        capacity, total,
        [](Ring& ring, size_t at, size_t size) {
            unsigned char bytes[kMost];
            for (size_t i = 0; i < size; i++) bytes[i] = byte_at(at + i);
            return ring_write(ring, bytes, size);
        },
        [](Ring& ring, size_t at, size_t size, size_t& wrong) {
            unsigned char bytes[kMost];
            size_t read = ring_read(ring, bytes, size);
            for (size_t i = 0; i < read && i < size; i++) wrong += bytes[i] != byte_at(at + i);
            return read;
        });
}

TEST(RingRace, CopiesOfAFewBytes) { copies(64, 100'000); }

TEST(RingRace, ARingOfOneByte) { copies(1, 2'000); }

TEST(RingRace, ALargeRing) { copies(4096, 400'000); }

TEST(RingRace, Spans) {
    run_both_sides(
        64, 100'000,
        [](Ring& ring, size_t at, size_t size) {
            auto span = ring_write_span(ring, size);
            for (size_t i = 0; i < span.size(); i++) span[i] = byte_at(at + i);
            ring_commit_write(ring, span.size());
            return span.size();
        },
        [](Ring& ring, size_t at, size_t size, size_t& wrong) {
            auto span = ring_read_span(ring, size);
            for (size_t i = 0; i < span.size(); i++) wrong += span[i] != byte_at(at + i);
            ring_commit_read(ring, span.size());
            return span.size();
        });
}

// What each side is told while the other moves: never more than there can be.
TEST(RingRace, CountsStayWithinTheCapacity) {
    constexpr uint32_t kCapacity = 16;
    unsigned char memory[kCapacity];
    Ring ring;
    ring_init(ring, memory, kCapacity);
    std::atomic<bool> stop{false};
    std::thread writer([&] {
        while (!stop) ring_write(ring, "0123456789abcdef", 16);
    });
    std::thread reader([&] {
        unsigned char bytes[kCapacity];
        while (!stop) ring_read(ring, bytes, sizeof bytes);
    });
    size_t wrong = 0;
    for (int i = 0; i < 200'000; i++) {
        wrong += ring_used(ring) > kCapacity;
        wrong += ring_free(ring) > kCapacity;
    }
    stop = true;
    writer.join();
    reader.join();
    EXPECT_EQ(wrong, 0u) << "a third thread (poll, FIONREAD) was told of more than fits";
}

}  // namespace
