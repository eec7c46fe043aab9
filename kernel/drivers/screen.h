// The screen as a terminal: the framebuffer if the boot loader set one up, else VGA text.
#pragma once
#include <cstddef>

#include "kernel/arch/bootinfo.h"

// Without either, screen_write does nothing. After kernel_space_init.
void screen_init(const Framebuffer& framebuffer);
// Shows text: printable ASCII, \n (also goes to column 0), \r, \b, \t, and the ANSI sequences
// that line editors need: cursor movement and erasing. Colours are ignored. Any context.
void screen_write(const char* text, size_t length);
