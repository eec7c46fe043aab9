// Lab 5: the ring, a byte queue between one writer and one reader (handouts/5-pty.md).
//
// Contract (kernel/base/ring.h): head counts the bytes ever written and is changed by the
// writer alone, tail counts the bytes ever read and is changed by the reader alone. So
// head - tail is what the ring holds, also after 2^64 wraps, and full (== capacity)
// differs from empty (== 0) without a byte kept free. No count is written by both sides.
//
// This starter works, one byte at a time: each byte is brought into the ring by `%`, and
// even the length of a contiguous part is found by stepping through it. A pipe or a
// terminal pays for that with every byte. Make each transfer at most two contiguous
// copies, up to the end of the memory and from its start, without a division and without
// a loop over bytes; leave early when the ring is full or empty. The capacity is a power
// of two.
//
// Order: data first, then the position that makes it visible (release); the other side
// reads the position (acquire) before it touches the data. C++20 [atomics.order].
#include "kernel/base/ring.h"

void ring_init(Ring& ring, unsigned char* memory, uint32_t capacity) {
    ring.data = memory;
    ring.capacity = capacity;
    ring.head.store(0, std::memory_order_relaxed);
    ring.tail.store(0, std::memory_order_relaxed);
}

size_t ring_used(const Ring& ring) {
    uint64_t tail = ring.tail.load(std::memory_order_acquire);
    uint64_t head = ring.head.load(std::memory_order_acquire);
    return head - tail < ring.capacity ? head - tail : ring.capacity;
}

size_t ring_free(const Ring& ring) { return ring.capacity - ring_used(ring); }

std::span<unsigned char> ring_write_span(Ring& ring, size_t size) {
    uint64_t head = ring.head.load(std::memory_order_relaxed);
    size_t free = ring_free(ring), length = 0;
    // Contiguous as long as the next byte does not start the memory over.
    while (length < size && length < free) {
        length++;
        if ((head + length) % ring.capacity == 0) break;
    }
    if (length == 0) return {};
    return {ring.data + head % ring.capacity, length};
}

std::span<const unsigned char> ring_read_span(Ring& ring, size_t size) {
    uint64_t tail = ring.tail.load(std::memory_order_relaxed);
    size_t used = ring_used(ring), length = 0;
    while (length < size && length < used) {
        length++;
        if ((tail + length) % ring.capacity == 0) break;
    }
    if (length == 0) return {};
    return {ring.data + tail % ring.capacity, length};
}

void ring_commit_write(Ring& ring, size_t size) {
    ring.head.store(ring.head.load(std::memory_order_relaxed) + size,
                    std::memory_order_release);
}

void ring_commit_read(Ring& ring, size_t size) {
    ring.tail.store(ring.tail.load(std::memory_order_relaxed) + size,
                    std::memory_order_release);
}

size_t ring_write(Ring& ring, const void* from, size_t size) {
    auto* source = static_cast<const unsigned char*>(from);
    size_t done = 0;
    while (done < size && ring_free(ring) > 0) {
        ring.data[ring.head.load(std::memory_order_relaxed) % ring.capacity] =
            source[done];
        ring_commit_write(ring, 1);
        done++;
    }
    return done;
}

size_t ring_read(Ring& ring, void* to, size_t size) {
    auto* target = static_cast<unsigned char*>(to);
    size_t done = 0;
    while (done < size && ring_used(ring) > 0) {
        target[done] =
            ring.data[ring.tail.load(std::memory_order_relaxed) % ring.capacity];
        ring_commit_read(ring, 1);
        done++;
    }
    return done;
}
