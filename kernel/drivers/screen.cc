// A small terminal. The grid of cells in memory is the truth; after each write the cells that
// differ from what the screen shows are drawn, so scrolling costs nothing until then, and a
// text of many lines is drawn once. The cursor is a cell in reverse.
//
// Pixels are written once and never read: the framebuffer's mapping is write combining, where
// reads cost hundreds of cycles.
// Sources: ECMA-48, 8.3 (CUU, CUD, CUF, CUB, CUP, ED, EL); IBM VGA Technical Reference.
#include "kernel/drivers/drivers.h"

#include <algorithm>

#include "kernel/arch/paging.h"
#include "kernel/arch/x86.h"
#include "kernel/base/raw_lock.h"
#include "kernel/base/runtime.h"

namespace {

constexpr uint32_t kMaxColumns = 160, kMaxRows = 64;
constexpr uint32_t kTab = 8;
constexpr uint32_t kGlyphWidth = 8, kGlyphHeight = 16;
// A cell is a character, plus kReverse where the cursor is.
constexpr uint8_t kReverse = 0x80;

// ---- The font ----

// A console font in PSF version 1, unpacked by kernel.mk: two bytes of magic, the mode, the
// bytes of a glyph; then the glyphs, in the order of ASCII as far as that goes, a byte a row,
// whose most significant bit is the leftmost pixel.
constexpr uint8_t kFont[] = {
#include "console_font.inc"
};
constexpr size_t kFontHeader = 4;
static_assert(kFont[0] == 0x36 && kFont[1] == 0x04 && kFont[3] == kGlyphHeight);
static_assert(sizeof kFont >= kFontHeader + 256 * kGlyphHeight);

// ---- Drawing a cell ----

Framebuffer pixels;             // address 0: VGA text
volatile uint8_t* video_memory;

void draw_pixels(uint32_t column, uint32_t row, uint8_t cell) {
    const uint8_t* glyph = kFont + kFontHeader + (cell & ~kReverse) * kGlyphHeight;
    uint8_t inverted = cell & kReverse ? 0xff : 0;
    constexpr uint32_t kLight = 0xc0;
    uint32_t front = kLight << pixels.red_shift | kLight << pixels.green_shift |
                     kLight << pixels.blue_shift;
    volatile uint8_t* line =
        video_memory + row * kGlyphHeight * pixels.pitch + column * kGlyphWidth * 4;
    for (uint32_t y = 0; y < kGlyphHeight; y++, line += pixels.pitch) {
        uint32_t bits = glyph[y] ^ inverted;
        auto* out = reinterpret_cast<volatile uint32_t*>(line);
        for (uint32_t x = 0; x < kGlyphWidth; x++) out[x] = bits >> (7 - x) & 1 ? front : 0;
    }
}

void draw_vga(uint32_t column, uint32_t row, uint8_t cell) {
    constexpr uint16_t kGreyOnBlack = 0x0700, kBlackOnGrey = 0x7000;
    reinterpret_cast<volatile uint16_t*>(video_memory)[row * 80 + column] =
        static_cast<uint16_t>((cell & kReverse ? kBlackOnGrey : kGreyOnBlack) |
                              (cell & ~kReverse));
}

// Is there a VGA? Its CRT controller answers on the cursor's position. The cursor that the
// hardware draws is switched off.
bool find_vga() {
    constexpr uint16_t kIndex = 0x3d4, kData = 0x3d5;
    constexpr uint8_t kCursorStart = 0x0a, kCursorOff = 1 << 5, kCursorLow = 0x0f;
    x86::outb(kIndex, kCursorLow);
    x86::outb(kData, 0x5a);
    if (x86::inb(kData) != 0x5a) return false;
    x86::outb(kIndex, kCursorStart);
    x86::outb(kData, kCursorOff);
    return true;
}

// ---- The terminal ----

uint32_t columns, rows;  // 0: no screen
uint32_t column, row;    // column == columns: the line is full
uint8_t cells[kMaxRows][kMaxColumns];
uint8_t shown[kMaxRows][kMaxColumns];

enum class State { Text, Escape, Parameters } state;
uint32_t parameters[2];
size_t parameter;  // the one that is being read; those after the second are dropped

// Makes cells blank from one position, in reading order, up to another.
void erase(uint32_t from_row, uint32_t from_column, uint32_t to_row, uint32_t to_column) {
    for (uint32_t y = from_row; y <= to_row; y++) {
        uint32_t from = y == from_row ? from_column : 0;
        uint32_t to = y == to_row ? to_column : columns;
        for (uint32_t x = from; x < to; x++) cells[y][x] = ' ';
    }
}

void line_feed() {
    if (row + 1 < rows) {
        row++;
        return;
    }
    memmove(cells[0], cells[1], sizeof cells[0] * (rows - 1));
    erase(row, 0, row, columns);
}

void put_text(char c) {
    switch (c) {
        case '\x1b': state = State::Escape; return;
        case '\n': column = 0; return line_feed();
        case '\r': column = 0; return;
        case '\b': column -= column > 0; return;
        case '\t': column = std::min((column / kTab + 1) * kTab, columns); return;
    }
    if (c < ' ' || c > '~') return;
    // The line breaks when the next character comes, not when it is full.
    if (column == columns) {
        column = 0;
        line_feed();
    }
    cells[row][column++] = static_cast<uint8_t>(c);
}

void execute(char command) {
    uint32_t first = parameters[0], n = std::max(first, 1u);
    bool from_start = first != 0, to_end = first != 1;  // of ED and EL
    switch (command) {
        case 'A': row -= std::min(row, n); break;
        case 'B': row = std::min(row + n, rows - 1); break;
        case 'C': column = std::min(column + n, columns - 1); break;
        case 'D': column -= std::min(column, n); break;
        case 'H':
            row = std::min(n, rows) - 1;
            column = std::min(std::max(parameters[1], 1u), columns) - 1;
            break;
        case 'J':
            erase(from_start ? 0 : row, from_start ? 0 : column, to_end ? rows - 1 : row,
                  to_end ? columns : column);
            break;
        case 'K': erase(row, from_start ? 0 : column, row, to_end ? columns : column); break;
    }
}

void put(char c) {
    if (state == State::Text) return put_text(c);
    if (state == State::Escape) {
        state = c == '[' ? State::Parameters : State::Text;
        parameter = parameters[0] = parameters[1] = 0;
    } else if (c >= '0' && c <= '9') {
        if (parameter < 2 && parameters[parameter] < 1000)
            parameters[parameter] = parameters[parameter] * 10 + static_cast<uint32_t>(c - '0');
    } else if (c == ';') {
        parameter++;
    } else if (c >= '@') {
        state = State::Text;
        execute(c);
    }
}

void refresh() {
    uint8_t& at_cursor = cells[row][std::min(column, columns - 1)];
    at_cursor |= kReverse;
    for (uint32_t y = 0; y < rows; y++) {
        if (memcmp(cells[y], shown[y], columns) == 0) continue;
        for (uint32_t x = 0; x < columns; x++) {
            if (cells[y][x] == shown[y][x]) continue;
            shown[y][x] = cells[y][x];
            if (pixels.address != 0) draw_pixels(x, y, cells[y][x]);
            else draw_vga(x, y, cells[y][x]);
        }
    }
    at_cursor &= static_cast<uint8_t>(~kReverse);
}

RawLock lock;

}  // namespace

void screen_init(const Framebuffer& framebuffer) {
    uint32_t width = 80, height = 25;
    PhysAddr address = 0xb8000;
    size_t bytes = width * height * 2;
    if (framebuffer.address != 0) {
        if (framebuffer.bits_per_pixel != 32 || framebuffer.pitch < framebuffer.width * 4)
            return;
        width = framebuffer.width / kGlyphWidth;
        height = framebuffer.height / kGlyphHeight;
        address = framebuffer.address;
        bytes = static_cast<size_t>(framebuffer.pitch) * framebuffer.height;
    } else if (!find_vga()) {
        return;
    }
    if (width == 0 || height == 0) return;
    pixels = framebuffer;
    video_memory =
        static_cast<volatile uint8_t*>(map_mmio(address, bytes, framebuffer.address != 0));
    columns = std::min(width, kMaxColumns);
    rows = std::min(height, kMaxRows);
    erase(0, 0, rows - 1, columns);  // `shown` holds zeros: everything will be drawn
    refresh();
}

void screen_write(const char* text, size_t length) {
    if (columns == 0) return;
    RawGuard guard(lock);
    for (size_t i = 0; i < length; i++) put(text[i]);
    refresh();
}
