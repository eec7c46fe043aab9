// VGA text mode: two bytes a cell at 0xb8000, the cursor by the CRT controller.
// Source: IBM VGA Technical Reference, CRT controller and attribute byte.
#include "kernel/drivers/vga_text.h"

#include "kernel/arch/memory.h"
#include "kernel/arch/x86.h"

namespace {

constexpr uint16_t kCrtcIndex = 0x3d4, kCrtcData = 0x3d5;

void write_crtc(uint8_t index, uint8_t value) {
    x86::outb(kCrtcIndex, index);
    x86::outb(kCrtcData, value);
}

// VGA has red and blue the other way round than ANSI.
uint8_t vga_colour(uint8_t ansi) {
    return static_cast<uint8_t>((ansi & 0xa) | (ansi & 1) << 2 | (ansi >> 2 & 1));
}

}  // namespace

bool VgaText::init() {
    constexpr uint8_t kCursorStart = 0x0a, kCursorLow = 0x0f;
    // A CRT controller answers on its cursor register.
    write_crtc(kCursorLow, 0x5a);
    if (x86::inb(kCrtcData) != 0x5a) return false;
    write_crtc(kCursorStart, 14);  // lines 14 and 15; also switches it on
    write_crtc(kCursorStart + 1, 15);
    columns_ = 80;
    rows_ = 25;
    cells_ = static_cast<volatile uint16_t*>(map_mmio(0xb8000, 80 * 25 * 2, false));
    return true;
}

void VgaText::draw(uint32_t column, uint32_t row, Cell cell) {
    uint8_t attribute = static_cast<uint8_t>(vga_colour(cell.background & 7) << 4 |
                                             vga_colour(cell.foreground));
    cells_[row * columns_ + column] =
        static_cast<uint16_t>(attribute << 8 | static_cast<uint8_t>(cell.character));
}

void VgaText::show_cursor(uint32_t column, uint32_t row, Cell) {
    uint32_t position = row * columns_ + column;
    write_crtc(0x0e, static_cast<uint8_t>(position >> 8));
    write_crtc(0x0f, static_cast<uint8_t>(position));
}
