// Lab 1, uart.cc on the host, against a model of the 16550 that is as slow as the real one:
// a byte takes a hundred port accesses to leave, and one written into a full transmitter is
// lost. kernel/arch/x86.h leads the unit's port accesses here.
#include <gtest/gtest.h>

#include <deque>
#include <stdexcept>
#include <string>

#include "kernel/arch/uart.h"

namespace {

class Chip {
  public:
    static constexpr int kByteTime = 100;         // accesses until a byte has left
    static constexpr uint64_t kPatience = 200e6;  // accesses until the test gives up

    bool present = true, has_fifo = true, stuck = false;
    uint8_t line_control = 0, modem_control = 0, interrupts = 0xff, fifo_control = 0;
    uint8_t divisor[2] = {12, 0}, scratch = 0;
    std::string sent;
    size_t lost = 0, stolen = 0;
    std::deque<uint8_t> received;
    uint64_t accesses = 0;

    uint8_t in(unsigned reg) {
        tick();
        if (!present) return 0xff;
        bool latch = line_control & 0x80;
        switch (reg) {
            case 0: return latch ? divisor[0] : take();
            case 1: return latch ? divisor[1] : interrupts;
            case 2: return fifo_on() ? 0xc1 : 0x01;
            case 3: return line_control;
            case 4: return modem_control;
            case 5: return status();
            case 7: return scratch;
            default: return 0;
        }
    }

    void out(unsigned reg, uint8_t value) {
        tick();
        if (!present) return;
        bool latch = line_control & 0x80;
        switch (reg) {
            case 0: latch ? void(divisor[0] = value) : transmit(value); break;
            case 1: (latch ? divisor[1] : interrupts) = value; break;
            case 2: fifo_control = value; break;
            case 3: line_control = value; break;
            case 4: modem_control = value; break;
            case 7: scratch = value; break;
        }
    }

  private:
    bool fifo_on() const { return has_fifo && (fifo_control & 1); }

    uint8_t status() const {
        uint8_t value = received.empty() ? 0 : 0x01;
        if (queue_.empty() && !stuck) value |= 0x20;
        if (queue_.empty() && !stuck && shifting_ == 0) value |= 0x40;
        return value;
    }

    uint8_t take() {
        if (received.empty()) {
            ++stolen;
            return 0;
        }
        uint8_t byte = received.front();
        received.pop_front();
        return byte;
    }

    void transmit(uint8_t byte) {
        size_t room = fifo_on() ? 16 : 1;
        if (stuck || queue_.size() >= room) ++lost;
        else queue_.push_back(byte);
    }

    void tick() {
        if (++accesses > kPatience) throw std::runtime_error("endless polling of the port");
        if (shifting_ > 0) --shifting_;
        if (shifting_ > 0 || queue_.empty()) return;
        sent += static_cast<char>(queue_.front());
        queue_.pop_front();
        shifting_ = kByteTime;
    }

    std::deque<uint8_t> queue_;
    int shifting_ = 0;
};

Chip chips[4];
size_t strays;  // accesses to ports that are no UART's

// Lets what is in the transmitter leave.
std::string all_sent(Chip& chip) {
    for (int i = 0; i < 40 * Chip::kByteTime; ++i) chip.in(6);
    return chip.sent;
}

std::string text_of(size_t size) {
    std::string text;
    for (size_t i = 0; i < size; ++i) text += static_cast<char>('!' + i * 7 % 90);
    return text;
}

class Uart : public testing::Test {
  protected:
    void SetUp() override {
        for (Chip& chip : chips) chip = Chip();
        strays = 0;
    }
    void TearDown() override { EXPECT_EQ(strays, 0u) << "ports of no UART were touched"; }
};

Chip* chip_of(uint16_t port, unsigned& reg) {
    for (int i = 0; i < 4; ++i) {
        if (port >= kUartPorts[i] && port < kUartPorts[i] + 8) {
            reg = port - kUartPorts[i];
            return &chips[i];
        }
    }
    ++strays;
    return nullptr;
}

}  // namespace

extern "C" uint8_t host_inb(uint16_t port) {
    unsigned reg = 0;
    Chip* chip = chip_of(port, reg);
    return chip == nullptr ? 0xff : chip->in(reg);
}

extern "C" void host_outb(uint16_t port, uint8_t value) {
    unsigned reg = 0;
    Chip* chip = chip_of(port, reg);
    if (chip != nullptr) chip->out(reg, value);
}

TEST_F(Uart, is_set_up_for_115200_baud_8n1) {
    for (int i = 0; i < 4; ++i) {
        Chip& chip = chips[i];
        ASSERT_TRUE(uart_init(kUartPorts[i])) << "COM" << i + 1 << " is there";
        EXPECT_EQ(chip.divisor[0] | chip.divisor[1] << 8, 1) << "the divisor for 115200 baud";
        EXPECT_EQ(chip.line_control, 0x03)
            << "LCR: 8 data bits, no parity, one stop bit, and the divisor latch closed again";
        EXPECT_EQ(chip.fifo_control & 1, 1) << "FCR: FIFOs on";
        EXPECT_EQ(chip.interrupts, 0) << "IER: no interrupts yet";
        EXPECT_NE(chip.modem_control & 0x08, 0)
            << "MCR: without OUT2 no interrupt gets from the UART to the interrupt controller";
        EXPECT_EQ(chip.modem_control & 0x10, 0) << "MCR: still in loopback mode";
        uart_enable_receive_interrupt(kUartPorts[i]);
        EXPECT_EQ(chip.interrupts, 0x01) << "IER: data received, nothing else";
    }
}

TEST_F(Uart, that_is_absent_is_noticed) {
    chips[2].present = false;
    EXPECT_TRUE(uart_init(kUartPorts[0]));
    EXPECT_FALSE(uart_init(kUartPorts[2])) << "nothing answers there: every read gives 0xff";
}

TEST_F(Uart, writes_wait_for_the_transmitter) {
    std::string text = text_of(5000);
    ASSERT_TRUE(uart_init(kUartPorts[1]));
    for (size_t at = 0, piece = 1; at < text.size(); at += piece, piece = piece % 61 + 1) {
        piece = std::min(piece, text.size() - at);
        uart_write(kUartPorts[1], text.data() + at, piece);
    }
    EXPECT_EQ(chips[1].lost, 0u) << "bytes were written while the transmitter was full: lost, "
                                    "without any sign";
    EXPECT_EQ(all_sent(chips[1]), text) << "what left the chip is not what was written";
    EXPECT_TRUE(chips[0].sent.empty()) << "something was sent by another port";
}

TEST_F(Uart, without_a_fifo_takes_one_byte_at_a_time) {
    std::string text = text_of(300);
    chips[3].has_fifo = false;
    ASSERT_TRUE(uart_init(kUartPorts[0]));
    ASSERT_TRUE(uart_init(kUartPorts[3]));
    uart_write(kUartPorts[3], text.data(), text.size());
    EXPECT_EQ(chips[3].lost, 0u) << "IIR says that the FIFOs did not come on: one byte a time";
    EXPECT_EQ(all_sent(chips[3]), text);
}

TEST_F(Uart, that_is_never_ready_is_given_up) {
    ASSERT_TRUE(uart_init(kUartPorts[0]));
    chips[0].stuck = true;
    std::string text = text_of(10000);
    EXPECT_NO_THROW(uart_write(kUartPorts[0], text.data(), text.size()))
        << "a port that never becomes ready must not stop the kernel";
}

TEST_F(Uart, reads_what_was_received_and_nothing_else) {
    ASSERT_TRUE(uart_init(kUartPorts[0]));
    chips[0].stolen = 0;
    EXPECT_EQ(uart_read(kUartPorts[0]), -1) << "nothing has been received";
    chips[0].received = {0x00, 'a', 0xff};
    EXPECT_EQ(uart_read(kUartPorts[0]), 0x00);
    EXPECT_EQ(uart_read(kUartPorts[0]), 'a');
    EXPECT_EQ(uart_read(kUartPorts[0]), 0xff) << "a byte, not a negative number";
    EXPECT_EQ(uart_read(kUartPorts[0]), -1);
    EXPECT_EQ(chips[0].stolen, 0u) << "the data register was read while LSR.DR was clear";
}
