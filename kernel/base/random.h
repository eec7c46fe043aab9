// Random bytes for getrandom(2), AT_RANDOM and /dev/urandom: the ChaCha20 block function
// (RFC 8439, 2.3) with a key from all entropy given so far and a counter that never repeats.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

// Mixes `words` into the key. Boot time, one CPU.
void random_seed(std::span<const uint64_t> words);
// Any context, any CPU, no locks.
void random_fill(void* out, size_t size);
