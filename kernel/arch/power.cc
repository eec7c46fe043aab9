// Ending the machine, wherever it runs: each way is harmless where it does not exist.
#include "kernel/arch/power.h"

#include "kernel/arch/uart.h"
#include "kernel/arch/x86.h"

namespace {

uint16_t acpi_port, acpi_value;  // port 0: unknown

// A byte still in the UART would be lost with the machine (Bochs, hardware).
void drain_serial_ports() {
    constexpr uint8_t kAllSent = 1 << 6;  // LSR.TEMT
    for (uint16_t port : kUartPorts) {
        for (int i = 0; i < 1000000 && !(x86::inb(port + 5) & kAllSent); i++) x86::pause();
    }
}

}  // namespace

void set_acpi_power_off(uint16_t port, uint16_t value) {
    acpi_port = port;
    acpi_value = value;
}

void machine_power_off(uint8_t status) {
    x86::cli();
    drain_serial_ports();
    constexpr uint16_t kQemuDebugExit = 0xf4, kBochsShutdown = 0x8900;
    x86::outl(kQemuDebugExit, status);
    for (const char* c = "Shutdown"; *c != '\0'; c++)
        x86::outb(kBochsShutdown, static_cast<uint8_t>(*c));
    if (acpi_port != 0) x86::outw(acpi_port, acpi_value);
    for (;;) x86::hlt();
}

void machine_reboot() {
    x86::cli();
    drain_serial_ports();
    // The keyboard controller pulses the reset line; if it does not, a triple fault.
    constexpr uint16_t kKeyboardCommand = 0x64;
    constexpr uint8_t kPulseReset = 0xfe;
    x86::outb(kKeyboardCommand, kPulseReset);
    for (int i = 0; i < 1000000; i++) x86::pause();
    constexpr uint16_t kNoIdt[5] = {};  // limit and base 0
    asm volatile("lidt %0\n\tint3" : : "m"(kNoIdt));
    for (;;) x86::hlt();
}
