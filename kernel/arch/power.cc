// Ending the machine, wherever it runs: each way is harmless where it does not exist.
#include "kernel/arch/power.h"

#include "kernel/arch/uart.h"
#include "kernel/arch/x86.h"

namespace {

// A byte still in the UART would be lost with the machine (Bochs, hardware).
void drain_serial_ports() {
    constexpr uint8_t kAllSent = 1 << 6;  // LSR.TEMT
    for (uint16_t port : kUartPorts) {
        for (int i = 0; i < 1000000 && !(x86::inb(port + 5) & kAllSent); i++) x86::pause();
    }
}

}  // namespace

uint16_t acpi_power_port;

void machine_power_off(uint8_t status) {
    x86::cli();
    drain_serial_ports();
    constexpr uint16_t kQemuDebugExit = 0xf4, kBochsShutdown = 0x8900;
    x86::outl(kQemuDebugExit, status);
    for (const char* c = "Shutdown"; *c != '\0'; c++)
        x86::outb(kBochsShutdown, static_cast<uint8_t>(*c));
    // The value for S5 stands in the DSDT's byte code: QEMU takes 0 as sleep type.
    // Bochs has its own port, above; real machines may want another value.
    constexpr uint16_t kSleepEnable = 1 << 13;
    if (acpi_power_port != 0) x86::outw(acpi_power_port, kSleepEnable);
    for (;;) x86::hlt();
}

void machine_reboot() {
    x86::cli();
    drain_serial_ports();
    // The keyboard controller pulses the reset line.
    constexpr uint16_t kKeyboardCommand = 0x64;
    constexpr uint8_t kPulseReset = 0xfe;
    x86::outb(kKeyboardCommand, kPulseReset);
    for (;;) x86::hlt();
}
