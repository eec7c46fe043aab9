// The kernel command line: words `name=value` separated by blanks. A value, or the whole
// word, may stand in double quotes to contain blanks. Words after a lone `--` are not ours.
// Unknown or malformed words are named in the log and otherwise ignored: a typing error must
// not keep a machine from booting.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

struct CommandLineOption {
    const char* name;
    // Takes the value; false when it is not a valid one.
    bool (*set)(std::string_view value);
};

// Applies every word of `text` through `options`.
void parse_command_line(std::string_view text, std::span<const CommandLineOption> options);

// A decimal number, all of `text`, in [min, max].
std::optional<uint64_t> parse_number(std::string_view text, uint64_t min, uint64_t max);

// What the kernel's own options (the table in command_line.cc) set.
struct KernelOptions {
    uint32_t max_cpus = 16;       // maxcpus=1..16
    uint32_t tick_hz = 1000;      // tick_hz=1..10000: scheduler ticks a second
    bool serial_console = true;   // console=serial,screen (either or both)
    bool screen_console = true;
    char init[256] = "/init";  // init=path: the first program
};
extern KernelOptions kernel_options;
// loglevel=0..7 goes to log_set_console_level at once.
void parse_kernel_options(std::string_view text);
