// printf-style formatting: parses one conversion at a time into a Spec and writes the padded
// result to the sink. No allocation, no floating point, no locale.
#include "kernel/base/format.h"

#include <charconv>
#include <cstdint>

#include "kernel/base/runtime.h"

namespace {

struct Spec {
    bool left = false, zero = false, alternate = false;
    bool wide = false;  // the integer has 64 bits, not 32
    int width = 0;
    int precision = -1;  // -1: not given
};

void pad(TextSink& sink, char fill, int count) {
    for (; count > 0; count--) sink.write(std::string_view(&fill, 1));
}

// Writes prefix (sign, 0x) and text; zeros go between the two, spaces around both.
void write_padded(TextSink& sink, const Spec& spec, std::string_view prefix,
                  std::string_view text) {
    int missing = spec.width - static_cast<int>(prefix.size() + text.size());
    bool zeros = spec.zero && !spec.left;
    if (!spec.left && !zeros) pad(sink, ' ', missing);
    sink.write(prefix);
    if (zeros) pad(sink, '0', missing);
    sink.write(text);
    if (spec.left) pad(sink, ' ', missing);
}

void write_number(TextSink& sink, const Spec& spec, std::string_view prefix, uint64_t value,
                  int base) {
    char digits[20];  // of 2^64
    char* end = std::to_chars(digits, digits + sizeof digits, value, base).ptr;
    write_padded(sink, spec, prefix, std::string_view(digits, end));
}

// Reads flags, width, precision and length after '%'; returns what follows them.
const char* parse_spec(const char* at, va_list args, Spec& spec) {
    for (;; at++) {
        if (*at == '-') spec.left = true;
        else if (*at == '0') spec.zero = true;
        else if (*at == '#') spec.alternate = true;
        else break;
    }
    auto number = [&at] {
        int value = 0;
        while (*at >= '0' && *at <= '9') value = value * 10 + (*at++ - '0');
        return value;
    };
    spec.width = number();
    if (*at == '.') {
        at++;
        spec.precision = *at == '*' ? (at++, va_arg(args, int)) : number();
    }
    for (; *at == 'l' || *at == 'z'; at++) spec.wide = true;
    return at;
}

void write_conversion(TextSink& sink, char conversion, const Spec& spec, va_list args) {
    auto next_unsigned = [&] {
        return spec.wide ? va_arg(args, uint64_t) : va_arg(args, unsigned);
    };
    switch (conversion) {
        case 'd': {
            int64_t value = spec.wide ? va_arg(args, int64_t) : va_arg(args, int);
            auto bits = static_cast<uint64_t>(value);
            return write_number(sink, spec, value < 0 ? "-" : "", value < 0 ? -bits : bits, 10);
        }
        case 'o': return write_number(sink, spec, "", next_unsigned(), 8);
        case 'u': return write_number(sink, spec, "", next_unsigned(), 10);
        case 'x': {
            uint64_t value = next_unsigned();
            return write_number(sink, spec, spec.alternate && value != 0 ? "0x" : "", value, 16);
        }
        case 'c': {
            char c = static_cast<char>(va_arg(args, int));
            return write_padded(sink, spec, "", std::string_view(&c, 1));
        }
        case 's': {
            const char* text = va_arg(args, const char*);
            if (text == nullptr) text = "(null)";
            size_t max = spec.precision < 0 ? SIZE_MAX : static_cast<size_t>(spec.precision);
            return write_padded(sink, spec, "", std::string_view(text, strnlen(text, max)));
        }
        case '%': return sink.write("%");
        default:  // unknown: show it, so that the mistake is seen
            sink.write("%");
            sink.write(std::string_view(&conversion, 1));
    }
}

}  // namespace

void vformat(TextSink& sink, const char* format, va_list original) {
    va_list args;
    va_copy(args, original);
    for (;;) {
        size_t plain = 0;
        while (format[plain] != '\0' && format[plain] != '%') plain++;
        if (plain > 0) sink.write(std::string_view(format, plain));
        format += plain;
        if (*format == '\0') break;
        Spec spec;
        format = parse_spec(format + 1, args, spec);
        if (*format == '\0') break;
        write_conversion(sink, *format++, spec, args);
    }
    va_end(args);
}

void format(TextSink& sink, const char* format, ...) {
    va_list args;
    va_start(args, format);
    vformat(sink, format, args);
    va_end(args);
}

size_t vformat_to(char* out, size_t size, const char* format, va_list args) {
    struct Sink final : TextSink {
        char* out;
        size_t size, length = 0;
        Sink(char* to, size_t bytes) : out(to), size(bytes) {}
        void write(std::string_view text) override {
            for (char c : text) {
                if (length + 1 < size) out[length] = c;
                length++;
            }
        }
    } sink(out, size);
    vformat(sink, format, args);
    if (size > 0) out[sink.length < size ? sink.length : size - 1] = '\0';
    return sink.length;
}

size_t format_to(char* out, size_t size, const char* format, ...) {
    va_list args;
    va_start(args, format);
    size_t length = vformat_to(out, size, format, args);
    va_end(args);
    return length;
}
