// The command line parser and the kernel's table of options. To add an option, write its
// setter and add a row to kOptions.
#include "kernel/base/command_line.h"

#include "kernel/base/log.h"

KernelOptions kernel_options;

std::optional<uint64_t> parse_number(std::string_view text, uint64_t min, uint64_t max) {
    if (text.empty()) return std::nullopt;
    uint64_t value = 0;
    for (char c : text) {
        if (c < '0' || c > '9') return std::nullopt;
        uint64_t digit = static_cast<uint64_t>(c - '0');
        if (value > (UINT64_MAX - digit) / 10) return std::nullopt;
        value = value * 10 + digit;
    }
    if (value < min || value > max) return std::nullopt;
    return value;
}

namespace {

bool set_log_level(std::string_view value) {
    auto level = parse_number(value, 0, 7);
    if (level) log_set_console_level(static_cast<LogLevel>(*level));
    return level.has_value();
}

bool set_max_cpus(std::string_view value) {
    auto count = parse_number(value, 1, 16);
    if (count) kernel_options.max_cpus = static_cast<uint32_t>(*count);
    return count.has_value();
}

bool set_tick_hz(std::string_view value) {
    auto hz = parse_number(value, 1, 10000);
    if (hz) kernel_options.tick_hz = static_cast<uint32_t>(*hz);
    return hz.has_value();
}

bool set_console(std::string_view value) {
    bool serial = false, screen = false;
    while (!value.empty()) {
        size_t comma = value.find(',');
        std::string_view name = value.substr(0, comma);
        if (name == "serial") serial = true;
        else if (name == "screen") screen = true;
        else return false;
        value.remove_prefix(comma == value.npos ? value.size() : comma + 1);
    }
    kernel_options.serial_console = serial;
    kernel_options.screen_console = screen;
    return serial || screen;
}

bool set_init(std::string_view value) {
    if (value.empty() || value.size() >= sizeof kernel_options.init) return false;
    kernel_options.init[value.copy(kernel_options.init, value.size())] = '\0';
    return true;
}

constexpr CommandLineOption kOptions[] = {
    {"loglevel", set_log_level}, {"maxcpus", set_max_cpus}, {"tick_hz", set_tick_hz},
    {"console", set_console},    {"init", set_init},
};

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// The next word, quotes removed, into `word` (which reuses the buffer); false at the end.
struct Words {
    std::string_view rest;
    char buffer[512];
    bool well_formed;

    std::optional<std::string_view> next() {
        while (!rest.empty() && is_blank(rest.front())) rest.remove_prefix(1);
        if (rest.empty()) return std::nullopt;
        size_t length = 0;
        bool quoted = false, fits = true;
        for (; !rest.empty() && (quoted || !is_blank(rest.front())); rest.remove_prefix(1)) {
            if (rest.front() == '"') quoted = !quoted;
            else if (length < sizeof buffer) buffer[length++] = rest.front();
            else fits = false;
        }
        well_formed = !quoted && fits;
        return std::string_view(buffer, length);
    }
};

void apply_word(std::string_view word, std::span<const CommandLineOption> options) {
    int length = static_cast<int>(word.size());
    size_t equals = word.find('=');
    std::string_view name = word.substr(0, equals);
    for (const CommandLineOption& option : options) {
        if (name != option.name) continue;
        if (equals == word.npos || !option.set(word.substr(equals + 1)))
            log_warning("command line: bad value: %.*s", length, word.data());
        return;
    }
    log_warning("command line: unknown word: %.*s", length, word.data());
}

}  // namespace

void parse_command_line(std::string_view text, std::span<const CommandLineOption> options) {
    Words words{text, {}, true};
    while (auto word = words.next()) {
        if (!words.well_formed) {
            log_warning("command line: unfinished quote or overlong word: %.*s",
                        static_cast<int>(word->size()), word->data());
        } else if (*word == "--") {
            return;
        } else {
            apply_word(*word, options);
        }
    }
}

void parse_kernel_options(std::string_view text) { parse_command_line(text, kOptions); }
