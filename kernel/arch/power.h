// Ending the machine, with a status for the host.
#pragma once
#include <cstdint>

// Status bytes written to QEMU's isa-debug-exit at port 0xf4, which makes QEMU exit with
// (status << 1) | 1. Bochs has no status: its host reads "PANIC:" on the console.
inline constexpr uint8_t kExitPowerOff = 0x10;  // QEMU exits with 33
inline constexpr uint8_t kExitPanic = 0x11;     // QEMU exits with 35

// Waits until the serial ports have sent what they hold, then tries in turn isa-debug-exit,
// Bochs's port 0x8900 and ACPI S5, and halts.
[[noreturn]] void machine_power_off(uint8_t status);
[[noreturn]] void machine_reboot();

// How ACPI powers this machine off: the values of \_S5_ for the PM1 control registers (ACPI
// specification 4.8.3.2). The ACPI driver tells; port 0: none.
struct AcpiPowerOff {
    uint16_t pm1a_control, pm1b_control;
    uint16_t pm1a_value, pm1b_value;
};
void set_acpi_power_off(const AcpiPowerOff& how);
