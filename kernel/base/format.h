// printf-style formatting without allocation: %d %u %o %x %c %s %%, with width, 0, -, #
// (of %x), a precision (of %s), and the length modifiers l, ll and z.
#pragma once
#include <cstdarg>
#include <cstddef>
#include <string_view>

// Where formatted text goes, a piece at a time.
class TextSink {
  public:
    virtual void write(std::string_view text) = 0;

  protected:
    ~TextSink() = default;
};

void vformat(TextSink& sink, const char* format, va_list args);
[[gnu::format(printf, 2, 3)]] void format(TextSink& sink, const char* format, ...);
// As snprintf(3): writes at most `size` bytes with the final NUL, returns the length that
// the whole text has.
size_t vformat_to(char* out, size_t size, const char* format, va_list args);
[[gnu::format(printf, 3, 4)]] size_t format_to(char* out, size_t size, const char* format,
                                               ...);
