// The time-stamp counter as a clock. Lab 7's tsc.cc.
#pragma once
#include <cstdint>

// ---- Lab 7, tsc.cc ----

// Finds the TSC's rate, boot CPU, before the APIC timer: CPUID leaf 0x15/0x16, the
// hypervisor's leaf 0x40000010, or a measurement against the PIT (1.193182 MHz).
void tsc_calibrate();
uint64_t tsc_hz();
// Sets the rate that the conversions use, in ticks a second (tsc_calibrate, host tests).
void tsc_set_rate(uint64_t hz);
// ticks <-> nanoseconds without overflow for any tick count of a 64-bit TSC; a result that
// does not fit is the largest number.
uint64_t tsc_to_ns(uint64_t ticks);
uint64_t ns_to_tsc(uint64_t ns);
// Nanoseconds since tsc_calibrate. Monotonic on one CPU; 0 before calibration.
uint64_t monotonic_ns();
