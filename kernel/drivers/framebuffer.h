// Text on a linear framebuffer of 32 bits a pixel, with a font of 8 x 16 pixels.
#pragma once
#include "kernel/arch/bootinfo.h"
#include "kernel/drivers/text_display.h"

class FramebufferText final : public TextDisplay {
  public:
    // False when there is none, or of another format.
    bool init(const Framebuffer& info);
    void draw(uint32_t column, uint32_t row, Cell cell) override;
    void show_cursor(uint32_t column, uint32_t row, Cell under) override;

  private:
    uint32_t pixel(uint8_t colour) const;

    volatile char* base_ = nullptr;
    Framebuffer info_ = {};
};

// 8 rows for each of the characters 32 to 126, each drawn twice; bit 7 is the leftmost pixel
// (kernel/drivers/font.cc).
extern const uint8_t font_rows[95][8];
