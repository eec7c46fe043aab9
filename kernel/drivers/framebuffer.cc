// Text on a framebuffer. Pixels are written once and never read: the mapping is write
// combining, where reads cost hundreds of cycles. What is on the screen the Screen knows.
#include "kernel/drivers/framebuffer.h"

#include "kernel/arch/memory.h"

namespace {

constexpr uint32_t kWidth = 8, kHeight = 16;
constexpr uint32_t kCursorHeight = 2;

// 24-bit RGB of the 16 colours.
constexpr uint32_t kPalette[16] = {0x000000, 0xb02020, 0x20a020, 0xb08020, 0x3050c0, 0xa030a0,
                                   0x2090a0, 0xc0c0c0, 0x606060, 0xff5050, 0x50ff50, 0xffff60,
                                   0x7090ff, 0xff70ff, 0x60ffff, 0xffffff};

}  // namespace

bool FramebufferText::init(const Framebuffer& info) {
    if (info.address == 0 || info.bits_per_pixel != 32 || info.pitch < info.width * 4 ||
        info.width < kWidth || info.height < kHeight)
        return false;
    info_ = info;
    columns_ = info.width / kWidth;
    rows_ = info.height / kHeight;
    size_t bytes = static_cast<size_t>(info.pitch) * info.height;
    base_ = static_cast<volatile char*>(map_mmio(info.address, bytes, true));
    return true;
}

uint32_t FramebufferText::pixel(uint8_t colour) const {
    uint32_t rgb = kPalette[colour & 15];
    return (rgb >> 16) << info_.red_shift | (rgb >> 8 & 0xff) << info_.green_shift |
           (rgb & 0xff) << info_.blue_shift;
}

void FramebufferText::draw(uint32_t column, uint32_t row, Cell cell) {
    auto index = static_cast<unsigned char>(cell.character);
    uint64_t glyph = font_glyphs[index >= 32 && index < 127 ? index - 32 : 0];
    // Two pixels at a time: that is half the stores, and one choice of four for both.
    uint64_t back = pixel(cell.background), front = pixel(cell.foreground);
    const uint64_t pairs[4] = {back | back << 32, back | front << 32, front | back << 32,
                               front | front << 32};
    volatile char* line = base_ + static_cast<size_t>(row) * kHeight * info_.pitch +
                          static_cast<size_t>(column) * kWidth * 4;
    for (uint32_t y = 0; y < kHeight; y++, line += info_.pitch) {
        auto* out = reinterpret_cast<volatile uint64_t*>(line);
        auto bits = static_cast<uint8_t>(glyph >> (56 - y / 2 * 8));
        out[0] = pairs[bits >> 6];
        out[1] = pairs[bits >> 4 & 3];
        out[2] = pairs[bits >> 2 & 3];
        out[3] = pairs[bits & 3];
    }
}

void FramebufferText::show_cursor(uint32_t column, uint32_t row, Cell under) {
    uint32_t colour = pixel(under.foreground);
    for (uint32_t y = kHeight - kCursorHeight; y < kHeight; y++) {
        auto* out = reinterpret_cast<volatile uint32_t*>(
            base_ + (static_cast<size_t>(row) * kHeight + y) * info_.pitch +
            static_cast<size_t>(column) * kWidth * 4);
        for (uint32_t x = 0; x < kWidth; x++) out[x] = colour;
    }
}
