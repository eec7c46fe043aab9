// Intel 8254, channel 2 (its gate is bit 0 of port 0x61, which other channels lack).
#include "kernel/drivers/pit.h"

#include "kernel/arch/x86.h"

namespace {
constexpr uint16_t kChannel2 = 0x42, kCommand = 0x43, kGatePort = 0x61;
constexpr uint8_t kGate = 1 << 0, kSpeaker = 1 << 1;
constexpr uint8_t kCountOnce = 0xb0;  // channel 2, low then high byte, mode 0, binary
constexpr uint8_t kLatch = 0x80;      // channel 2, hold the count for reading
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
