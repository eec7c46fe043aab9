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

// The characters 32 to 126: 8 rows of 8 pixels, top left first from bit 63 on
// (kernel/drivers/font.cc). Each row is drawn twice.
extern const uint64_t font_glyphs[95];
