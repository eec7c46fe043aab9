// The characters 32 to 126: 8 rows of 8 pixels, top left first from bit 63 on. Each row is
// drawn twice.
#pragma once
#include <cstdint>

extern const uint64_t font_glyphs[95];
