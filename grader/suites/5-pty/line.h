// A line discipline under test: what is typed, what a reader gets, what stands on the screen.
#pragma once
// GoogleTest includes <cxxabi.h>, which takes the name `abi` for itself.
#define abi cxxabi
#include <gtest/gtest.h>
#undef abi

#include <algorithm>
#include <string>
#include <vector>

#include "kernel/abi/signal.h"
#include "kernel/tty/line_discipline.h"

// Control characters of abi::kDefaultTermios.
inline constexpr char kIntr = 3, kQuit = 28, kErase = 127, kKill = 21, kEof = 4, kStart = 17,
                      kStop = 19, kSusp = 26, kReprint = 18, kWerase = 23, kLnext = 22;

// The device: takes output while it has room.
class Device final : public LineHost {
  public:
    size_t output(const char* data, size_t size) override {
        size_t taken = std::min(size, room);
        out.append(data, taken);
        room -= taken;
        return taken;
    }
    size_t output_room() override { return room; }
    void signal(int number) override { signals.push_back(number); }
    void flush_output() override { flushes++; }

    std::string out;
    size_t room = 1 << 20;
    std::vector<int> signals;
    int flushes = 0;
};

// What a terminal of `width` columns shows of `out`, lines parted by \n; blanks at the ends
// of lines do not count. So echo is judged by what the user sees, not by how it is done.
std::string screen(const std::string& out, size_t width = 200);

class LineTest : public testing::Test {
  protected:
    LineTest() { line_init(line_, device_); }
    ~LineTest() override { line_destroy(line_); }

    size_t type(std::string_view text) {
        return line_receive(line_, {reinterpret_cast<const unsigned char*>(text.data()),
                                    text.size()});
    }
    size_t type(char c) { return type(std::string_view(&c, 1)); }
    // read(2) with room for `size` bytes, as the terminal does it: "WAITS" when it sleeps.
    std::string read(size_t size = 4096);
    std::string write(std::string_view text) {
        size_t done = line_write(line_, text.data(), text.size());
        return std::string(text.substr(0, done));
    }
    void set(uint32_t iflag_on, uint32_t iflag_off, uint32_t lflag_on, uint32_t lflag_off);
    // As cfmakeraw(3), with MIN and TIME.
    void make_raw(uint8_t min = 1, uint8_t time = 0);
    abi::Termios termios() const { return line_.termios; }
    std::string shown() const { return screen(device_.out); }

    Device device_;
    LineDiscipline line_;
};

inline const std::string kWaits = "WAITS";
