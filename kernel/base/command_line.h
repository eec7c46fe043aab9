// The kernel command line: words `name=value` separated by blanks. Words after a lone `--`
// are not ours. Unknown or malformed words are named in the log and otherwise ignored: a
// typing error must not keep a machine from booting.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

struct KernelOptions {
    uint32_t max_cpus = 16;       // maxcpus=1..16
    uint32_t tick_hz = 1000;      // tick_hz=1..10000: scheduler ticks a second
    uint32_t log_level = 6;       // loglevel=0..7: what the console shows of the log
    bool serial_console = true;   // console=serial | screen | serial,screen
    bool screen_console = true;
    char init[256] = "/init";     // init=path: the first program
};
extern KernelOptions kernel_options;

// Fills kernel_options.
void parse_kernel_options(std::string_view text);

// A decimal number, all of `text`, in [min, max].
std::optional<uint64_t> parse_number(std::string_view text, uint64_t min, uint64_t max);
