// VGA text mode, 80 x 25.
#pragma once
#include "kernel/drivers/text_display.h"

class VgaText final : public TextDisplay {
  public:
    // False when there is no VGA in text mode.
    bool init();
    void draw(uint32_t column, uint32_t row, Cell cell) override;
    void show_cursor(uint32_t column, uint32_t row, Cell under) override;

  private:
    volatile uint16_t* cells_ = nullptr;
};
