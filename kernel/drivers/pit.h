// The 8254 timer's channel 2 as a stopwatch: the one clock of known rate that every PC has.
// The scheduler's ticks come from the local APIC instead.
#pragma once
#include <cstdint>

inline constexpr uint64_t kPitHz = 1193182;

// Starts counting down from 65535, 55 ms, silently.
void pit_start();
// The count now.
uint16_t pit_read();
// Has it counted to 0 since pit_start? From then on counts say nothing.
bool pit_expired();
