// Random numbers for programs (/dev/urandom, getrandom, AT_RANDOM). Not from the machine alone:
// a generator that mixes whatever entropy there is.
#pragma once
#include <cstddef>
#include <cstdint>

// Fills [to, to + size). Any context.
void random_bytes(void* to, size_t size);
// Stirs more unpredictable input in (boot: RDRAND, the RTC; interrupts: time stamps).
void random_add(uint64_t input);
