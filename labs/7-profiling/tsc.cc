// The time-stamp counter as the kernel's clock: reading it costs no exit and no lock.
//
// The starter assumes a TSC of 2.4 GHz, whatever machine it runs on: all times are wrong by
// the same factor.
// Sources: Intel SDM vol. 2, CPUID (leaves 0x15, 0x16); vol. 3, 18.7.3; the PIT as a
// stopwatch: kernel/drivers/drivers.h.
#include "kernel/arch/tsc.h"

#include "kernel/arch/x86.h"

namespace {

uint64_t rate;
uint64_t start_ticks;

}  // namespace

// Sets the rate that the conversions use, in ticks a second.
void tsc_set_rate(uint64_t hz) { rate = hz; }

// Finds the TSC's rate, boot CPU, before the APIC timer: CPUID leaf 0x15/0x16, the
// hypervisor's leaf 0x40000010, or a measurement against the PIT (1.193182 MHz).
void tsc_calibrate() {
    tsc_set_rate(2400000000);
    start_ticks = x86::rdtsc();
}

uint64_t tsc_hz() { return rate; }

// ticks <-> nanoseconds without overflow for any tick count of a 64-bit TSC; a result that
// does not fit is the largest number.
uint64_t tsc_to_ns(uint64_t ticks) {
    uint64_t seconds = ticks / rate, rest = ticks % rate;
    if (seconds > ~0ull / 1000000000 - 1) return ~0ull;
    return seconds * 1000000000 + rest * 1000000000 / rate;
}

uint64_t ns_to_tsc(uint64_t ns) {
    uint64_t seconds = ns / 1000000000, rest = ns % 1000000000;
    if (seconds > ~0ull / rate - 1) return ~0ull;
    return seconds * rate + rest * rate / 1000000000;
}

// Nanoseconds since tsc_calibrate. Monotonic on one CPU; 0 before calibration.
uint64_t monotonic_ns() { return rate == 0 ? 0 : tsc_to_ns(x86::rdtsc() - start_ticks); }
