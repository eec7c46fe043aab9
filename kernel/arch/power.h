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

// ACPI's PM1a control register (specification 4.8.3.2), which powers this machine off; 0:
// unknown. The ACPI driver sets it.
extern uint16_t acpi_power_port;
