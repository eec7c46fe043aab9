// The time-stamp counter as the kernel's clock: reading it costs no exit and no lock.
//
// Rate, from the best source down: CPUID leaf 0x15 (crystal clock and ratio), the
// hypervisor's leaf 0x40000010, a measurement against the PIT. TCG and Bochs have neither
// leaf. The measurement takes as its two ends moments when the PIT's count was seen to
// change, each known to within the two TSC readings around it; ends that were seen late (the
// host ran something else meanwhile) are passed over for later ones.
//
// Conversion without division: ns = ticks * mult >> shift in 128 bits, with as many bits of
// fraction as fit, so that the error is below 2^-61 of the value. Each way has its own pair.
// Sources: Intel SDM vol. 2, CPUID; vol. 3, 18.17 and 18.7.3.
#include "kernel/arch/tsc.h"

#include "kernel/arch/x86.h"
#include "kernel/base/log.h"
#include "kernel/drivers/drivers.h"

namespace {

constexpr uint64_t kNsPerSecond = 1000000000;

struct Scale {
    uint64_t mult = 0;
    unsigned shift = 0;

    // value * to / from
    static Scale ratio(uint64_t to, uint64_t from) {
        Scale scale{0, 64};
        do {
            scale.shift--;
            scale.mult = mul_div(to, 1ull << scale.shift, from);
        } while (scale.mult >> 63 && scale.shift > 0);
        scale.mult++;  // up, not down: a whole second then stays a whole second
        return scale;
    }
    uint64_t apply(uint64_t value) const {
        unsigned __int128 result = static_cast<unsigned __int128>(value) * mult >> shift;
        return result >> 64 ? ~0ull : static_cast<uint64_t>(result);
    }
};

uint64_t rate;
uint64_t start_ticks;
Scale to_ns, to_ticks;

// 0 where the CPU does not say.
uint64_t rate_from_cpuid() {
    if (x86::cpuid(0).eax < 0x15) return 0;
    x86::CpuidResult clock = x86::cpuid(0x15);  // TSC = crystal * EBX / EAX
    if (clock.eax == 0 || clock.ebx == 0 || clock.ecx == 0) return 0;
    return static_cast<uint64_t>(clock.ecx) * clock.ebx / clock.eax;
}

uint64_t rate_from_hypervisor() {
    constexpr uint32_t kLeaf = 0x40000010;  // EAX: kHz
    if (!cpu_features.hypervisor || x86::cpuid(0x40000000).eax < kLeaf) return 0;
    return x86::cpuid(kLeaf).eax * 1000ull;
}

struct Edge {
    uint64_t ticks;  // when the PIT's count had just changed
    uint64_t error;  // known to within this
    uint16_t count;
};

// Waits for a change of the count, from at most `from` on, that is seen closely: within four
// times the closest so far. If the host runs something else meanwhile, this edge comes late
// and only the next ones are close again. False when the counter has run out.
bool next_edge(uint16_t from, uint64_t& closest, Edge& edge) {
    uint64_t before = x86::rdtsc();
    uint16_t last = pit_read();
    for (uint32_t tries = 0; tries < 10000000; tries++) {
        uint64_t now = x86::rdtsc();
        uint16_t count = pit_read();
        uint64_t after = x86::rdtsc();
        uint64_t error = after - before;
        if (count != last && count <= from) {
            if (pit_expired()) return false;
            if (error < closest) closest = error;
            if (error / 4 <= closest) {
                edge = {before + error / 2, error, count};
                return true;
            }
        }
        last = count;
        before = now;
    }
    return false;
}

uint64_t rate_from_pit() {
    constexpr uint16_t kRound = 5000;  // 4.2 ms
    uint64_t best = 0, best_error = ~0ull, closest = ~0ull;
    for (int round = 0; round < 10; round++) {
        Edge start, end;
        pit_start();
        if (!next_edge(0xfff0, closest, start)) continue;
        if (!next_edge(start.count - kRound, closest, end)) continue;
        uint64_t elapsed = end.ticks - start.ticks;
        uint64_t error = start.error + end.error;
        if (error < best_error) {
            best_error = error;
            best = mul_div(elapsed, kPitHz, static_cast<uint64_t>(start.count - end.count));
        }
        if (error < elapsed / 1000) break;
    }
    return best;
}

}  // namespace

void tsc_set_rate(uint64_t hz) {
    rate = hz;
    to_ns = Scale::ratio(kNsPerSecond, hz);
    to_ticks = Scale::ratio(hz, kNsPerSecond);
}

void tsc_calibrate() {
    const char* source = "CPUID";
    uint64_t hz = rate_from_cpuid();
    if (hz == 0) {
        source = "hypervisor";
        hz = rate_from_hypervisor();
    }
    if (hz == 0) {
        source = "PIT";
        hz = rate_from_pit();
    }
    if (hz == 0) {
        source = "assumed";
        hz = kNsPerSecond;
    }
    tsc_set_rate(hz);
    start_ticks = x86::rdtsc();
    log_info("tsc: %lu.%06lu MHz (%s)", hz / 1000000, hz % 1000000, source);
}

uint64_t tsc_hz() { return rate; }

uint64_t tsc_to_ns(uint64_t ticks) { return to_ns.apply(ticks); }

uint64_t ns_to_tsc(uint64_t ns) { return to_ticks.apply(ns); }

uint64_t monotonic_ns() {
    return rate == 0 ? 0 : to_ns.apply(x86::rdtsc() - start_ticks);
}
