// The battery-backed clock (Motorola MC146818A; ports 0x70 and 0x71), read once at boot.
#pragma once
#include <cstdint>

// Seconds since 1970-01-01 00:00 UTC. Takes up to two milliseconds: it waits for the chip to
// be between two updates. A chip that is absent or broken gives some constant time.
uint64_t rtc_read();
