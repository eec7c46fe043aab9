// 16550 UART: the console, the log, and the result channels of the grader.
//
// Output is polled. A byte written while the transmitter is busy is lost without any sign
// (Bochs and hardware; QEMU is always ready and hides it), so LSR.THRE is awaited. THRE with
// the FIFO on means that all 16 places are free: one wait pays for 16 bytes. Input comes by
// interrupt (kernel/drivers/serial.cc) and is taken here a byte at a time.
// Source: National Semiconductor PC16550D data sheet, section 8 (registers).
#include "kernel/arch/uart.h"

#include <algorithm>
#include <initializer_list>

#include "kernel/arch/x86.h"

namespace {

// Offsets from the port; the first two are the divisor while LCR.DLAB is set.
constexpr uint16_t kData = 0, kInterruptEnable = 1, kFifoControl = 2, kInterruptId = 2,
                   kLineControl = 3, kModemControl = 4, kLineStatus = 5, kScratch = 7;
constexpr uint8_t kReceiveInterrupt = 1 << 0;        // IER
constexpr uint8_t kFifoEnableAndClear = 0x07;        // FCR: enable, clear both
constexpr uint8_t kFifosWork = 0xc0;                 // IIR, after enabling them
constexpr uint8_t kDivisorAccess = 0x80;             // LCR
constexpr uint8_t kEightBitsNoParityOneStop = 0x03;  // LCR
constexpr uint8_t kDtrRtsOut2 = 0x0b;                // MCR; OUT2 lets interrupts through
constexpr uint8_t kDataReady = 1 << 0;               // LSR
constexpr uint8_t kTransmitterEmpty = 1 << 5;        // LSR.THRE
constexpr uint16_t kDivisor = 1;                     // 115200 / 115200

// A port that stays busy this long (about a second; 16 bytes take 1.4 ms) is dead.
constexpr uint32_t kMaxPolls = 1000000;

// Bytes that may be written after one THRE; 1 until the FIFO has proved to work.
size_t& fifo_size_of(uint16_t port) {
    static size_t sizes[] = {1, 1, 1, 1, 1};  // the last: of a port that is none of ours
    return sizes[std::ranges::find(kUartPorts, port) - kUartPorts];
}

bool wait_for_transmitter(uint16_t port) {
    for (uint32_t polls = 0; polls < kMaxPolls; polls++) {
        if (x86::inb(port + kLineStatus) & kTransmitterEmpty) return true;
        x86::pause();
    }
    return false;
}

}  // namespace

bool uart_init(uint16_t port) {
    for (uint8_t value : {0x5a, 0xa5}) {
        x86::outb(port + kScratch, value);
        if (x86::inb(port + kScratch) != value) return false;
    }
    x86::outb(port + kInterruptEnable, 0);
    x86::outb(port + kLineControl, kDivisorAccess);
    x86::outb(port + kData, kDivisor & 0xff);
    x86::outb(port + kInterruptEnable, kDivisor >> 8);
    x86::outb(port + kLineControl, kEightBitsNoParityOneStop);
    x86::outb(port + kFifoControl, kFifoEnableAndClear);
    x86::outb(port + kModemControl, kDtrRtsOut2);
    bool fifos = (x86::inb(port + kInterruptId) & kFifosWork) == kFifosWork;
    fifo_size_of(port) = fifos ? 16 : 1;
    return true;
}

void uart_write(uint16_t port, const char* data, size_t length) {
    size_t batch = fifo_size_of(port);
    for (size_t i = 0; i < length; i++) {
        if (i % batch == 0 && !wait_for_transmitter(port)) return;
        x86::outb(port + kData, static_cast<uint8_t>(data[i]));
    }
}

int uart_read(uint16_t port) {
    if ((x86::inb(port + kLineStatus) & kDataReady) == 0) return -1;
    return x86::inb(port + kData);
}

void uart_enable_receive_interrupt(uint16_t port) {
    x86::outb(port + kInterruptEnable, kReceiveInterrupt);
}
