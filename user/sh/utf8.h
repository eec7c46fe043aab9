// UTF-8 as the line editor needs it: whole characters and the cells they fill on the
// screen.
#pragma once
#include <wchar.h>

#include <string_view>

// Bytes of the character at `at`, by its first byte; 1 for what is no UTF-8.
inline size_t character_size(std::string_view text, size_t at) {
    auto first = static_cast<unsigned char>(text[at]);
    size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
    for (size_t i = 1; i < size; ++i) {
        if (at + i >= text.size() || (text[at + i] & 0xc0) != 0x80) return 1;
    }
    return size;
}

// Cells of that character: control characters are shown as ^X, combining ones take none.
inline size_t character_width(std::string_view text, size_t at) {
    size_t size = character_size(text, at);
    auto first = static_cast<unsigned char>(text[at]);
    if (size == 1) return first < 0x20 || first == 0x7f ? 2 : 1;
    wchar_t code = first & (0x7f >> size);
    for (size_t i = 1; i < size; ++i)
        code = static_cast<wchar_t>(code << 6 | (text[at + i] & 0x3f));
    int width = wcwidth(code);
    return width < 0 ? 1 : static_cast<size_t>(width);
}

// Where the character after the one at `at` starts, with the combining ones that belong
// to it.
inline size_t after_character(std::string_view text, size_t at) {
    if (at < text.size()) at += character_size(text, at);
    while (at < text.size() && character_width(text, at) == 0)
        at += character_size(text, at);
    return at;
}

// Where the character before `at` starts.
inline size_t before_character(std::string_view text, size_t at) {
    size_t previous = 0;
    for (size_t i = 0; i < at; i = after_character(text, i)) previous = i;
    return previous;
}
