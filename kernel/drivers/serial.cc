// Serial ports: which exist, one lock for each (so that the log and a terminal do not mix
// their bytes), and the two interrupt lines: IRQ 4 for COM1 and COM3, IRQ 3 for the others.
// ISA interrupts are edge triggered: a handler that leaves a byte in a FIFO would never be
// called again, so it reads all ports until all are empty.
#include "kernel/drivers/drivers.h"

#include "kernel/arch/apic.h"
#include "kernel/arch/traps.h"
#include "kernel/arch/uart.h"
#include "kernel/base/raw_lock.h"

namespace {

bool present[kSerialPorts];
RawLock locks[kSerialPorts];
void (*receive)(unsigned port, uint8_t byte);

void on_interrupt(TrapFrame&) {
    for (bool any = true; any;) {
        any = false;
        for (unsigned port = 0; port < kSerialPorts; port++) {
            int byte = present[port] ? uart_read(kUartPorts[port]) : -1;
            if (byte < 0) continue;
            any = true;
            receive(port, static_cast<uint8_t>(byte));
        }
    }
}

}  // namespace

void serial_init() {
    for (unsigned port = 0; port < kSerialPorts; port++)
        present[port] = uart_init(kUartPorts[port]);
}

bool serial_present(unsigned port) { return present[port]; }

void serial_write(unsigned port, const char* data, size_t length) {
    if (!present[port]) return;
    RawGuard guard(locks[port]);
    uart_write(kUartPorts[port], data, length);
}

void serial_console_write(const char* text, size_t length) {
    if (!present[0]) return;
    RawGuard guard(locks[0]);
    size_t start = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] != '\n') continue;
        uart_write(kUartPorts[0], text + start, i - start);
        uart_write(kUartPorts[0], "\r\n", 2);
        start = i + 1;
    }
    uart_write(kUartPorts[0], text + start, length - start);
}

void serial_enable_receive(void (*to)(unsigned port, uint8_t byte)) {
    receive = to;
    for (unsigned port = 0; port < kSerialPorts; port++)
        if (present[port]) uart_enable_receive_interrupt(kUartPorts[port]);
    for (uint8_t irq : {4, 3}) {
        set_trap_handler(kVectorIrqBase + irq, on_interrupt);
        ioapic_enable_isa(irq);
    }
}
