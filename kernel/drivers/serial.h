// The four serial ports above lab 1's uart.cc: serialized output, and input by interrupt.
#pragma once
#include <cstddef>
#include <cstdint>

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
