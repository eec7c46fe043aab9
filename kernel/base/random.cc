// See random.h. No lock is needed: the key changes only at boot, and every block takes its
// own number from an atomic counter. The price is that whoever reads the key out of kernel
// memory can compute earlier output; here, such a reader has everything else as well.
#include "kernel/base/random.h"

#include <atomic>
#include <bit>
#include <cstring>

namespace {

uint32_t key[8];
std::atomic<uint64_t> next_block{0};

void quarter_round(uint32_t& a, uint32_t& b, uint32_t& c, uint32_t& d) {
    a += b, d = std::rotl(d ^ a, 16);
    c += d, b = std::rotl(b ^ c, 12);
    a += b, d = std::rotl(d ^ a, 8);
    c += d, b = std::rotl(b ^ c, 7);
}

// The ChaCha20 block of this number: 64 bytes from key, counter and nonce.
void fresh_block(uint32_t out[16]) {
    uint64_t number = next_block.fetch_add(1, std::memory_order_relaxed);
    const uint32_t start[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574,
                                key[0],     key[1],     key[2],     key[3],
                                key[4],     key[5],     key[6],     key[7],
                                static_cast<uint32_t>(number), 0, 0,
                                static_cast<uint32_t>(number >> 32)};
    uint32_t x[16];
    memcpy(x, start, sizeof x);
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 4; i++)  // columns
            quarter_round(x[i], x[4 + i], x[8 + i], x[12 + i]);
        for (int i = 0; i < 4; i++)  // diagonals
            quarter_round(x[i], x[4 + (i + 1) % 4], x[8 + (i + 2) % 4], x[12 + (i + 3) % 4]);
    }
    for (int i = 0; i < 16; i++) out[i] = x[i] + start[i];
}

}  // namespace

void random_seed(std::span<const uint64_t> words) {
    for (uint64_t word : words) {
        key[0] ^= static_cast<uint32_t>(word);
        key[1] ^= static_cast<uint32_t>(word >> 32);
        uint32_t block[16];
        fresh_block(block);
        memcpy(key, block, sizeof key);
    }
}

void random_fill(void* out, size_t size) {
    auto* bytes = static_cast<char*>(out);
    while (size > 0) {
        uint32_t block[16];
        fresh_block(block);
        size_t part = size < sizeof block ? size : sizeof block;
        memcpy(bytes, block, part);
        bytes += part;
        size -= part;
    }
}
