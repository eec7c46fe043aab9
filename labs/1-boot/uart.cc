// 16550 UART: the console, the log, and the result channels of the grader.
//
// A byte written while the transmitter is busy is lost without any sign (in Bochs and on
// hardware; QEMU is always ready and hides it).
// Source: National Semiconductor PC16550D data sheet, section 8 (registers).
#include "kernel/arch/uart.h"

#include "kernel/base/log.h"

// 115200 baud, 8n1, FIFOs on, interrupts off at the UART but let through to the interrupt
// controller (MCR.OUT2). Returns false where no UART answers (the scratch register does not
// hold a value).
bool uart_init(uint16_t) { LAB_TODO(1, "uart_init", "labs/1-boot/uart.cc"); }

// Writes all bytes, waiting on LSR.THRE before each FIFO's worth (16 bytes when the FIFO is
// on). Any context; the caller serializes. Gives up on a port that never becomes ready.
void uart_write(uint16_t, const char*, size_t) {
    LAB_TODO(1, "uart_write", "labs/1-boot/uart.cc");
}

// Takes one received byte if LSR.DR says there is one: 0..255, or -1.
int uart_read(uint16_t) { LAB_TODO(1, "uart_read", "labs/1-boot/uart.cc"); }

// Lets the UART interrupt when a byte is received.
void uart_enable_receive_interrupt(uint16_t) {
    LAB_TODO(1, "uart_enable_receive_interrupt", "labs/1-boot/uart.cc");
}
