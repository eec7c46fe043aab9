// The drivers, each a file of its own: what they offer to the layers above.
#pragma once

#include "kernel/arch/bootinfo.h"

// The four serial ports above lab 1's uart.cc: serialized output, and input by interrupt.

inline constexpr unsigned kSerialPorts = 4;  // COM1..COM4 as 0..3

// Finds and sets up the ports. Before anything is written.
void serial_init();
bool serial_present(unsigned port);
// Writes bytes as they are, all or (where there is no port) none. Any context.
void serial_write(unsigned port, const char* data, size_t length);
// For log_set_console: text to COM1, "\n" as "\r\n".
void serial_console_write(const char* text, size_t length);
// Every byte received from now on goes to `receive`, interrupts off. After apic_init.
void serial_enable_receive(void (*receive)(unsigned port, uint8_t byte));

// The screen as a terminal: the framebuffer if the boot loader set one up, else VGA text.

// Without either, screen_write does nothing. After kernel_space_init.
void screen_init(const Framebuffer& framebuffer);
// Shows text: printable ASCII, \n (also goes to column 0), \r, \b, \t, and the ANSI sequences
// that line editors need: cursor movement and erasing. Colours are ignored. Any context.
void screen_write(const char* text, size_t length);

// PS/2 keyboard, scan code set 1, US layout.

// Sets up the controller; what is typed goes to `type`, a byte at a time, interrupts off:
// ASCII, control characters, and the escape sequences of a VT100 for cursor keys and such.
// After apic_init. Harmless where there is no keyboard.
void keyboard_init(void (*type)(char byte));

// The 8254 timer's channel 2 as a stopwatch: the one clock of known rate that every PC has.
// The scheduler's ticks come from the local APIC instead.

inline constexpr uint64_t kPitHz = 1193182;

// Starts counting down from 65535, 55 ms, silently.
void pit_start();
// The count now.
uint16_t pit_read();
// Has it counted to 0 since pit_start? From then on counts say nothing.
bool pit_expired();

// Channel 0, which interrupts: `hz` times a second from now on, 19 to 1 million.
void pit_repeat(uint32_t hz);

// ACPI tables: what the kernel needs of them, read once at boot.

// Finds the tables by boot_info's RSDP or the BIOS area, fills `topology` from the MADT
// (kernel/arch/apic.h) and tells panic.h how to power off. Without usable tables the
// topology has the defaults. After kernel_space_init, before apic_init.
void acpi_init();
