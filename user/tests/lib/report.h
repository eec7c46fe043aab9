// The keyed channel from a test program to the grader.
//
// What a program prints on its standard output can be printed by anybody. The grader believes
// only lines on the fourth serial port (/dev/ttyS3) that start with the key of this run, which
// it put into /run/mello/key of the initramfs:
//
//   KEY NAME VALUE\n        NAME without spaces; VALUE is the rest of the line
//
// One line is one write(2), so lines of processes that report at the same time do not mix.
// On a machine without the file (Linux, a boot by hand) the lines go to standard output with
// "-" for the key.
//
// The other direction: the host puts the data a test works on into /run/mello/data.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include <string_view>

// Sends one line. Longer than 500 bytes is cut. Exits 120 when the channel does not take it:
// a test whose results are lost must not look like one that had none.
[[gnu::format(printf, 2, 3)]] void report(const char* name, const char* format, ...);

// True when somebody listens: there is a key, so lines go to the channel.
bool report_is_heard();

// Stops here until the host has looked at the machine (registers, page tables, MSRs): reports
// `NAME 0xADDRESS` of a 64-bit flag in this process, which holds kWaitingForHost, and spins
// with `pause` until the host has written 1 there. Returns at once when nobody listens.
inline constexpr uint64_t kWaitingForHost = 0x6d656c6c6f776169;  // "mellowai"
void wait_for_host(const char* name = "inspect");

// The contents of /run/mello/data/NAME, kept in memory until exit (call it once);
// an empty view with a null pointer when there is no such file. At most 16 MiB.
std::string_view host_data(const char* name);

// The same as a number, decimal or 0x hexadecimal, else `otherwise`.
uint64_t host_number(const char* name, uint64_t otherwise);

// FNV-1a, 64 bits: what host and guest both can say about bytes they should have in common.
inline constexpr uint64_t kHashStart = 0xcbf29ce484222325;
constexpr uint64_t hash_bytes(const void* bytes, size_t size, uint64_t hash = kHashStart) {
    const auto* at = static_cast<const unsigned char*>(bytes);
    for (size_t i = 0; i < size; i++) hash = (hash ^ at[i]) * 0x100000001b3;
    return hash;
}

// splitmix64: a sequence that host and guest both can make from one seed.
class Sequence {
  public:
    explicit constexpr Sequence(uint64_t seed) : state_(seed) {}
    constexpr uint64_t next() {
        state_ += 0x9e3779b97f4a7c15;
        uint64_t z = state_;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }
    constexpr uint64_t below(uint64_t limit) { return next() % limit; }
    void fill(void* bytes, size_t size) {
        auto* at = static_cast<unsigned char*>(bytes);
        for (size_t i = 0; i < size; i++) at[i] = static_cast<unsigned char>(next() >> 24);
    }

  private:
    uint64_t state_;
};
