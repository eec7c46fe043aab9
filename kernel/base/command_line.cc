// The command line parser. To add an option, add a line to set_option.
#include "kernel/base/command_line.h"

#include <charconv>

#include "kernel/base/log.h"

KernelOptions kernel_options;

std::optional<uint64_t> parse_number(std::string_view text, uint64_t min, uint64_t max) {
    uint64_t value = 0;
    const char* end = text.data() + text.size();
    auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || stop != end || value < min || value > max)
        return std::nullopt;
    return value;
}

namespace {

bool set_number(uint32_t& option, std::string_view value, uint64_t min, uint64_t max) {
    auto number = parse_number(value, min, max);
    if (number) option = static_cast<uint32_t>(*number);
    return number.has_value();
}

bool set_console(std::string_view value) {
    bool both = value == "serial,screen" || value == "screen,serial";
    kernel_options.serial_console = both || value == "serial";
    kernel_options.screen_console = both || value == "screen";
    return kernel_options.serial_console || kernel_options.screen_console;
}

bool set_init(std::string_view value) {
    if (value.empty() || value.size() >= sizeof kernel_options.init) return false;
    kernel_options.init[value.copy(kernel_options.init, value.size())] = '\0';
    return true;
}

// False when there is no such option or the value is not a valid one.
bool set_option(std::string_view name, std::string_view value) {
    if (name == "maxcpus") return set_number(kernel_options.max_cpus, value, 1, 16);
    if (name == "tick_hz") return set_number(kernel_options.tick_hz, value, 1, 10000);
    if (name == "loglevel") return set_number(kernel_options.log_level, value, 0, 7);
    if (name == "console") return set_console(value);
    if (name == "init") return set_init(value);
    return false;
}

}  // namespace

void parse_kernel_options(std::string_view text) {
    constexpr const char* kBlanks = " \t\r\n";
    for (;;) {
        size_t start = text.find_first_not_of(kBlanks);
        if (start == text.npos) return;
        text.remove_prefix(start);
        std::string_view word = text.substr(0, text.find_first_of(kBlanks));
        text.remove_prefix(word.size());
        if (word == "--") return;
        size_t equals = word.find('=');
        if (equals == word.npos || !set_option(word.substr(0, equals), word.substr(equals + 1)))
            log_warning("command line: unknown or malformed: %.*s",
                        static_cast<int>(word.size()), word.data());
    }
}
