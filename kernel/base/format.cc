// printf-style formatting: parses one conversion at a time into a Spec and writes the padded
// result to the sink. No allocation, no floating point, no locale.
#include "kernel/base/format.h"

#include <cstdint>

#include "kernel/base/string.h"

namespace {

struct Spec {
    bool left = false, zero = false, plus = false, alternate = false;
    int width = 0;
    int precision = -1;  // -1: not given
    int length = 0;      // bytes of the integer argument
    char conversion = 0;
};

void pad(TextSink& sink, char fill, int count) {
    for (; count > 0; count--) sink.write(std::string_view(&fill, 1));
}

// Writes prefix (sign, 0x) and digits; zeros go between the two, spaces around both.
void write_number(TextSink& sink, const Spec& spec, std::string_view prefix,
                  std::string_view digits) {
    int zeros = spec.precision - static_cast<int>(digits.size());
    if (zeros < 0) zeros = 0;
    int used = static_cast<int>(prefix.size() + digits.size()) + zeros;
    int spaces = spec.width > used ? spec.width - used : 0;
    if (spec.zero && !spec.left && spec.precision < 0) {
        zeros += spaces;
        spaces = 0;
    }
    if (!spec.left) pad(sink, ' ', spaces);
    sink.write(prefix);
    pad(sink, '0', zeros);
    sink.write(digits);
    if (spec.left) pad(sink, ' ', spaces);
}

void write_unsigned(TextSink& sink, const Spec& spec, uint64_t value, unsigned base,
                    std::string_view prefix) {
    const char* digit =
        spec.conversion == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    char buffer[24];  // 22 octal digits
    size_t at = sizeof buffer;
    for (uint64_t rest = value; rest != 0; rest /= base) buffer[--at] = digit[rest % base];
    if (value == 0 && spec.precision != 0) buffer[--at] = '0';
    write_number(sink, spec, prefix, std::string_view(buffer + at, sizeof buffer - at));
}

void write_text(TextSink& sink, const Spec& spec, std::string_view text) {
    int spaces = spec.width - static_cast<int>(text.size());
    if (!spec.left) pad(sink, ' ', spaces);
    sink.write(text);
    if (spec.left) pad(sink, ' ', spaces);
}

int64_t sign_extend(uint64_t value, int bytes) {
    int unused = 64 - 8 * bytes;
    return static_cast<int64_t>(value << unused) >> unused;
}
uint64_t zero_extend(uint64_t value, int bytes) {
    int unused = 64 - 8 * bytes;
    return value << unused >> unused;
}

// Reads flags, width, precision and length after '%'; returns what follows them.
const char* parse_spec(const char* at, va_list args, Spec& spec) {
    for (;; at++) {
        if (*at == '-') spec.left = true;
        else if (*at == '0') spec.zero = true;
        else if (*at == '+') spec.plus = true;
        else if (*at == '#') spec.alternate = true;
        else break;
    }
    auto number = [&at, args](int& out) mutable {
        out = 0;
        if (*at == '*') {
            out = va_arg(args, int);
            at++;
        }
        while (*at >= '0' && *at <= '9') out = out * 10 + (*at++ - '0');
    };
    number(spec.width);
    if (spec.width < 0) {
        spec.left = true;
        spec.width = -spec.width;
    }
    if (*at == '.') {
        at++;
        number(spec.precision);
    }
    spec.length = 4;
    if (*at == 'z') {
        spec.length = 8;
        at++;
    }
    for (; *at == 'l'; at++) spec.length = 8;
    for (; *at == 'h'; at++) spec.length /= 2;
    return at;
}

}  // namespace

void vformat(TextSink& sink, const char* format, va_list original) {
    va_list args;
    va_copy(args, original);
    while (*format != '\0') {
        const char* start = format;
        while (*format != '\0' && *format != '%') format++;
        if (format != start)
            sink.write(std::string_view(start, static_cast<size_t>(format - start)));
        if (*format == '\0') break;
        Spec spec;
        format = parse_spec(format + 1, args, spec);
        spec.conversion = *format;
        if (*format == '\0') break;
        format++;
        switch (spec.conversion) {
            case 'd':
            case 'i': {
                uint64_t raw = spec.length == 8 ? va_arg(args, uint64_t)
                                                : va_arg(args, unsigned);
                int64_t value = sign_extend(raw, spec.length);
                uint64_t magnitude = value < 0 ? 0 - static_cast<uint64_t>(value)
                                               : static_cast<uint64_t>(value);
                write_unsigned(sink, spec, magnitude, 10,
                               value < 0 ? "-" : spec.plus ? "+" : "");
                break;
            }
            case 'u':
            case 'x':
            case 'X':
            case 'o': {
                uint64_t raw = spec.length == 8 ? va_arg(args, uint64_t)
                                                : va_arg(args, unsigned);
                uint64_t value = zero_extend(raw, spec.length);
                unsigned base = spec.conversion == 'u' ? 10 : spec.conversion == 'o' ? 8 : 16;
                bool prefixed = spec.alternate && value != 0;
                write_unsigned(sink, spec, value, base,
                               !prefixed ? "" : base == 16 ? "0x" : base == 8 ? "0" : "");
                break;
            }
            case 'p':
                write_unsigned(sink, spec, va_arg(args, uint64_t), 16, "0x");
                break;
            case 'c': {
                char c = static_cast<char>(va_arg(args, int));
                write_text(sink, spec, std::string_view(&c, 1));
                break;
            }
            case 's': {
                const char* text = va_arg(args, const char*);
                if (text == nullptr) text = "(null)";
                size_t max = spec.precision < 0 ? SIZE_MAX
                                                : static_cast<size_t>(spec.precision);
                write_text(sink, spec, std::string_view(text, strnlen(text, max)));
                break;
            }
            case '%':
                sink.write("%");
                break;
            default:  // unknown: show it, so that the mistake is seen
                sink.write("%");
                sink.write(std::string_view(&spec.conversion, 1));
        }
    }
    va_end(args);
}

void format(TextSink& sink, const char* format, ...) {
    va_list args;
    va_start(args, format);
    vformat(sink, format, args);
    va_end(args);
}

namespace {

class BufferSink final : public TextSink {
  public:
    BufferSink(char* out, size_t size) : out_(out), size_(size) {}
    void write(std::string_view text) override {
        for (char c : text) {
            if (length_ + 1 < size_) out_[length_] = c;
            length_++;
        }
    }
    size_t finish() {
        if (size_ > 0) out_[length_ < size_ ? length_ : size_ - 1] = '\0';
        return length_;
    }

  private:
    char* out_;
    size_t size_;
    size_t length_ = 0;
};

}  // namespace

size_t format_to(char* out, size_t size, const char* format, ...) {
    BufferSink sink(out, size);
    va_list args;
    va_start(args, format);
    vformat(sink, format, args);
    va_end(args);
    return sink.finish();
}
