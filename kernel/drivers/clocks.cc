// The two clocks that every PC has beside its CPUs': the 8254's channel 2 (its gate is bit 0 of
// port 0x61, which other channels lack), and the battery-backed one (Motorola
// MC146818A; ports 0x70 and 0x71), from which the time of day starts.
#include <chrono>

#include "kernel/drivers/clock.h"
#include "kernel/drivers/drivers.h"

namespace {

constexpr uint16_t kChannel0 = 0x40, kChannel2 = 0x42, kCommand = 0x43, kGatePort = 0x61;
constexpr uint8_t kGate = 1 << 0, kSpeaker = 1 << 1;
constexpr uint8_t kCountOnce = 0xb0;  // channel 2, low then high byte, mode 0, binary
constexpr uint8_t kLatch = 0x80;      // channel 2, hold the count for reading

struct Reading {
    uint8_t second, minute, hour, day, month, year;
    bool operator==(const Reading&) const = default;
};

uint8_t read_register(uint8_t index) {
    x86::outb(0x70, index);
    return x86::inb(0x71);
}

// Numbers are taken for BCD and hours for 0 to 23, as PC firmware leaves the clock (register B
// would say it).
uint8_t read_number(uint8_t index) {
    uint8_t bcd = read_register(index);
    return static_cast<uint8_t>((bcd >> 4) * 10 + (bcd & 15));
}

Reading read_once() {
    constexpr uint8_t kStatusA = 10, kUpdateInProgress = 0x80;
    for (int i = 0; i < 100000 && (read_register(kStatusA) & kUpdateInProgress); i++) {}
    return {read_number(0), read_number(2), read_number(4),
            read_number(7), read_number(8), read_number(9)};
}

// Seconds since 1970-01-01 00:00 UTC. Takes up to two milliseconds: it waits for the chip to
// be between two updates. A chip that is absent or broken gives some constant time.
uint64_t rtc_read() {
    // Twice the same, or an update came in between.
    Reading r = read_once();
    for (int i = 0; i < 10; i++) {
        Reading again = read_once();
        if (again == r) break;
        r = again;
    }
    using namespace std::chrono;
    sys_days date = year(2000 + r.year) / month(r.month) / day(r.day);
    auto days = static_cast<uint64_t>(date.time_since_epoch().count());
    return days * 86400 + r.hour * 3600u + r.minute * 60u + r.second;
}

uint64_t realtime_at_boot = 0;  // when monotonic_ns() was 0

}  // namespace

void pit_start() {
    uint8_t port = x86::inb(kGatePort) & ~(kGate | kSpeaker);
    x86::outb(kGatePort, port);
    x86::outb(kCommand, kCountOnce);
    x86::outb(kChannel2, 0xff);
    x86::outb(kChannel2, 0xff);
    x86::outb(kGatePort, port | kGate);
}

uint16_t pit_read() {
    x86::outb(kCommand, kLatch);
    uint8_t low = x86::inb(kChannel2);
    return static_cast<uint16_t>(x86::inb(kChannel2) << 8 | low);
}

bool pit_expired() {
    constexpr uint8_t kOut = 1 << 5;
    return (x86::inb(kGatePort) & kOut) != 0;
}

void pit_repeat(uint32_t hz) {
    constexpr uint8_t kRate = 0x34;  // channel 0, low then high byte, mode 2, binary
    const auto period = static_cast<uint16_t>(std::min<uint64_t>(kPitHz / hz, 0xffff));
    x86::outb(kCommand, kRate);
    x86::outb(kChannel0, period & 0xff);
    x86::outb(kChannel0, period >> 8);
}

void clock_init() {
    realtime_at_boot = rtc_read() * kNsPerSecond - monotonic_ns();
    vfs_set_clock([] { return to_time_spec(realtime_ns()); });
}

uint64_t realtime_ns() { return realtime_at_boot + monotonic_ns(); }

uint64_t realtime_to_monotonic(uint64_t realtime) {
    return realtime > realtime_at_boot ? realtime - realtime_at_boot : 0;
}

Result<uint64_t> to_ns(const TimeSpec& time) {
    constexpr int64_t kSecond = kNsPerSecond, kLongest = INT64_MAX / kSecond - 1;
    if (time.seconds < 0 || time.nanoseconds < 0 || time.nanoseconds >= kSecond)
        return Error(EINVAL);
    if (time.seconds > kLongest) return uint64_t{INT64_MAX};
    return static_cast<uint64_t>(time.seconds * kSecond + time.nanoseconds);
}

Result<uint64_t> to_ns(const timeval& time) {
    if (time.tv_usec < 0 || time.tv_usec >= 1'000'000) return Error(EINVAL);
    return to_ns(TimeSpec{time.tv_sec, time.tv_usec * 1000});
}

TimeSpec to_time_spec(uint64_t ns) {
    return {static_cast<int64_t>(ns / kNsPerSecond), static_cast<int64_t>(ns % kNsPerSecond)};
}

timeval to_time_val(uint64_t ns) {
    TimeSpec time = to_time_spec(ns);
    return {time.seconds, time.nanoseconds / 1000};
}

rusage to_rusage(const Usage& used) {
    rusage out = {};
    out.ru_utime = to_time_val(used.user_ns);
    out.ru_stime = to_time_val(used.system_ns);
    out.ru_minflt = static_cast<int64_t>(used.page_faults);
    out.ru_nvcsw = static_cast<int64_t>(used.switches_voluntary);
    out.ru_nivcsw = static_cast<int64_t>(used.switches_involuntary);
    return out;
}
