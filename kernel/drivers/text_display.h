// What the screen draws on: a grid of characters with colours.
#pragma once
#include <cstdint>

// 16 colours in the order of ANSI: black, red, green, yellow, blue, magenta, cyan, white,
// then the bright ones.
struct Cell {
    char character;
    uint8_t foreground;
    uint8_t background;
    bool operator==(const Cell&) const = default;
};
inline constexpr Cell kBlankCell = {' ', 7, 0};

class TextDisplay {
  public:
    uint32_t columns() const { return columns_; }
    uint32_t rows() const { return rows_; }
    virtual void draw(uint32_t column, uint32_t row, Cell cell) = 0;
    virtual void show_cursor(uint32_t column, uint32_t row, Cell under) = 0;

  protected:
    ~TextDisplay() = default;
    uint32_t columns_ = 0, rows_ = 0;
};
