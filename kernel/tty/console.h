// The console: COM1 and the PC's own screen and keyboard as one terminal.
#pragma once
#include <cstddef>

#include "kernel/tty/terminal.h"

Terminal& console();

// Starts input: interrupts of COM1 and the keyboard, and the thread that takes their
// bytes. After apic_init and once threads run.
void console_start();

// For log_set_console: "\n" as "\r\n", to the serial port and the screen, as far as the
// command line (console=) wants them. Any context.
void console_write_log(const char* text, size_t length);
