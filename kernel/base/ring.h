// Ring: the byte queue under pipes and terminals. The functions are lab 5's ring.cc.
//
// Single producer, single consumer: one thread (or holder of a lock) at a time writes, one
// reads; both may run at once. Positions count up for ever and are cut to the capacity when
// used, so that full and empty differ. Memory is the owner's.
#pragma once
#include <atomic>
#include <span>

#include "kernel/base/types.h"

struct Ring {
    unsigned char* data = nullptr;
    uint32_t capacity = 0;  // power of two
    alignas(kCacheLine) std::atomic<uint64_t> head{0};  // bytes written so far
    alignas(kCacheLine) std::atomic<uint64_t> tail{0};  // bytes read so far
};

// ---- Lab 5, ring.cc ----

void ring_init(Ring& ring, unsigned char* memory, uint32_t capacity);
size_t ring_used(const Ring& ring);
size_t ring_free(const Ring& ring);
// Copies as many of `size` bytes as fit / are there; returns how many.
size_t ring_write(Ring& ring, const void* from, size_t size);
size_t ring_read(Ring& ring, void* to, size_t size);
// For owners that move data themselves (user memory): the contiguous free / filled part that
// comes next, at most `size` bytes; then advance by what was really moved.
std::span<unsigned char> ring_write_span(Ring& ring, size_t size);
std::span<const unsigned char> ring_read_span(Ring& ring, size_t size);
void ring_commit_write(Ring& ring, size_t size);
void ring_commit_read(Ring& ring, size_t size);
