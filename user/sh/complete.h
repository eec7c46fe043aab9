// Completion with Tab: names of commands and of files.
#pragma once
#include <string>

#include "user/sh/shell.h"

struct Completion {
    size_t start;     // of the word that is completed, in the line
    Strings choices;  // whole words as they would stand in the line, sorted
};
Completion complete(const std::string& line, size_t cursor);
