// The screen as a terminal: the framebuffer if the boot loader set one up, else VGA text.
#pragma once
#include <cstddef>

#include "kernel/arch/bootinfo.h"

// False when the machine has neither; the other functions then do nothing. After
// kernel_space_init.
bool screen_init(const Framebuffer& framebuffer);
// Shows text: printable ASCII, \n (also goes to column 0), \r, \b, \t, and the ANSI sequences
// for cursor movement, erasing and colours. Any context.
void screen_write(const char* text, size_t length);
struct ScreenSize {
    uint32_t columns, rows;  // 0: no screen
};
ScreenSize screen_size();
