// Ending the machine, with a status for the host.
#pragma once
#include <cstdint>

// Status bytes written to QEMU's isa-debug-exit at port 0xf4, which makes QEMU exit with
// (status << 1) | 1. In Bochs the same is announced on COM4 (see power.cc) and the machine
// ends by the text "Shutdown" at port 0x8900; elsewhere ACPI S5, then a halt.
inline constexpr uint8_t kExitPowerOff = 0x10;  // QEMU exits with 33
inline constexpr uint8_t kExitPanic = 0x11;     // QEMU exits with 35

[[noreturn]] void machine_power_off(uint8_t status);
[[noreturn]] void machine_reboot();
