// Where commands come from: a text, a file, standard input, the terminal.
#pragma once
#include <string>
#include <string_view>

// All of these return $?. What `last` means: see run() in execute.h.
int run_text(std::string_view text, bool last = false);
// A script as a program: 127 or 126 when it cannot be read.
int run_script(const std::string& path);
// Reads the whole file; false with errno when it cannot.
bool read_file(const std::string& path, std::string& text);
// Line by line, no byte further than needed: commands may read the same input.
int run_standard_input();
int run_terminal();
