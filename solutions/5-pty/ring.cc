// Lab 5: the ring, a byte queue between one writer and one reader (handouts/5-pty.md).
//
// Contract (kernel/base/ring.h): head counts the bytes ever written and is changed by the
// writer alone, tail counts the bytes ever read and is changed by the reader alone. So
// head - tail is what the ring holds, also after 2^64 wraps, and full (== capacity)
// differs from empty (== 0) without a byte kept free. No count is written by both sides.
//
// The capacity is a power of two: a position becomes an index by masking, and a transfer
// is at most two contiguous copies: up to the end of the memory, then from its start.
//
// Order: data first, then the position that makes it visible (release); the other side
// reads the position (acquire) before it touches the data. C++20 [atomics.order].
#include "kernel/base/ring.h"

#include <algorithm>
#include <cstring>

void ring_init(Ring& ring, unsigned char* memory, uint32_t capacity) {
    ring.data = memory;
    ring.capacity = capacity;
    ring.head.store(0, std::memory_order_relaxed);
    ring.tail.store(0, std::memory_order_relaxed);
}

size_t ring_used(const Ring& ring) {
    // The tail first: read after it, the head can only be further on, so that the
    // difference is never negative. It may exceed the capacity while the reader is quick;
    // cut that.
    uint64_t tail = ring.tail.load(std::memory_order_acquire);
    uint64_t head = ring.head.load(std::memory_order_acquire);
    return std::min<uint64_t>(head - tail, ring.capacity);
}

size_t ring_free(const Ring& ring) { return ring.capacity - ring_used(ring); }

std::span<unsigned char> ring_write_span(Ring& ring, size_t size) {
    size = std::min(size, ring_free(ring));
    if (size == 0) return {};
    size_t start = ring.head.load(std::memory_order_relaxed) & (ring.capacity - 1);
    return {ring.data + start, std::min<size_t>(size, ring.capacity - start)};
}

std::span<const unsigned char> ring_read_span(Ring& ring, size_t size) {
    size = std::min(size, ring_used(ring));
    if (size == 0) return {};
    size_t start = ring.tail.load(std::memory_order_relaxed) & (ring.capacity - 1);
    return {ring.data + start, std::min<size_t>(size, ring.capacity - start)};
}

void ring_commit_write(Ring& ring, size_t size) {
    ring.head.store(ring.head.load(std::memory_order_relaxed) + size,
                    std::memory_order_release);
}

void ring_commit_read(Ring& ring, size_t size) {
    // Release: the bytes were copied out before the writer may overwrite them.
    ring.tail.store(ring.tail.load(std::memory_order_relaxed) + size,
                    std::memory_order_release);
}

size_t ring_write(Ring& ring, const void* from, size_t size) {
    auto* source = static_cast<const unsigned char*>(from);
    size = std::min(size, ring_free(ring));
    if (size == 0) return 0;
    size_t start = ring.head.load(std::memory_order_relaxed) & (ring.capacity - 1);
    size_t first = std::min<size_t>(size, ring.capacity - start);
    memcpy(ring.data + start, source, first);
    if (first < size) memcpy(ring.data, source + first, size - first);
    ring_commit_write(ring, size);
    return size;
}

size_t ring_read(Ring& ring, void* to, size_t size) {
    auto* target = static_cast<unsigned char*>(to);
    size = std::min(size, ring_used(ring));
    if (size == 0) return 0;
    size_t start = ring.tail.load(std::memory_order_relaxed) & (ring.capacity - 1);
    size_t first = std::min<size_t>(size, ring.capacity - start);
    memcpy(target, ring.data + start, first);
    if (first < size) memcpy(target + first, ring.data, size - first);
    ring_commit_read(ring, size);
    return size;
}
