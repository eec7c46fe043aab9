// Arithmetic on 64 bits with 128 bits in between, which C++ cannot divide without a runtime
// library.
#pragma once
#include <cstdint>

// a * b / divisor, rounded down; the largest number when that does not fit (or divisor is 0).
inline uint64_t mul_div(uint64_t a, uint64_t b, uint64_t divisor) {
    uint64_t low, high, quotient, remainder;
    asm("mulq %3" : "=a"(low), "=d"(high) : "a"(a), "rm"(b) : "cc");
    if (high >= divisor) return ~0ull;  // DIV would fault
    asm("divq %4"
        : "=a"(quotient), "=d"(remainder)
        : "a"(low), "d"(high), "rm"(divisor)
        : "cc");
    return quotient;
}
