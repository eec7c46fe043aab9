// 16550 UART (National Semiconductor PC16550D data sheet). Lab 1's uart.cc. Four ports:
// COM1 is the console and log, COM2 and COM3 carry the output and errors of `make run`'s
// command, COM4 its status and the graders' results.
#pragma once
#include <cstddef>
#include <cstdint>

inline constexpr uint16_t kUartPorts[4] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};

// ---- Lab 1, uart.cc ----

// 115200 baud, 8n1, FIFOs on, interrupts off. Returns false where no UART answers (the
// scratch register does not hold a value).
bool uart_init(uint16_t port);
// Writes all bytes, waiting on LSR.THRE before each FIFO's worth (16 bytes when the FIFO is
// on). Any context; the caller serializes. Gives up on a port that never becomes ready.
void uart_write(uint16_t port, const char* data, size_t length);
// Takes one received byte if LSR.DR says there is one: 0..255, or -1.
int uart_read(uint16_t port);
// Lets the UART interrupt when a byte is received.
void uart_enable_receive_interrupt(uint16_t port);
