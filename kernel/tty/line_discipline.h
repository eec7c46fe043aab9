// Line discipline: what a terminal does between its device and its readers and writers
// (POSIX XBD chapter 11, "General Terminal Interface"): line editing and echo, signal
// characters, flow control, newline translation. The functions are lab 5's
// line_discipline.cc; they know no hardware, no threads and no clock, so that host tests
// run them.
//
//   device --- line_receive --> [input: line being edited | ready] --- line_next ---> read(2)
//   device <-- host.output <--- (echo) and line_write <------------------------------ write(2)
//
// The owner (kernel/tty/terminal.h) holds its lock around every call. Nothing here waits:
// each call takes what fits and says how much that was.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "kernel/abi/termios.h"
#include "kernel/base/lab_state.h"

// What a line discipline needs of its terminal. Called with the terminal's lock held.
class LineHost {
  public:
    // Takes processed output for the device; returns how many bytes it took: all, or as
    // many as fit when the device's buffer is full.
    virtual size_t output(const char* data, size_t size) = 0;
    // How many bytes output() would take now.
    virtual size_t output_room() = 0;
    // Send `signal` to the foreground process group. The terminal does so once its lock
    // is released; here it is only noted.
    virtual void signal(int signal) = 0;
    // Output that the device has not taken yet is to be thrown away (a signal character).
    virtual void flush_output() = 0;

  protected:
    ~LineHost() = default;
};

inline constexpr size_t kLineCapacity = 4096;  // bytes of input kept, POSIX MAX_CANON

struct LineDiscipline {
    abi::Termios termios = abi::kDefaultTermios;
    LineHost* host = nullptr;
    LabState<8192> lab;  // lab 5
};

// What a reader gets next: contiguous bytes in the buffer (possibly none), and whether
// the read is over after them (end of a line; in raw mode: nothing more is there).
struct LineChunk {
    std::span<const unsigned char> bytes;
    bool last;
};

// How a reader waits. `ready`: do not. Else until more input comes, at most `timeout_ns`
// after the last byte came (or, without any, after the read began); then it takes what is
// there, be it nothing.
struct LineWait {
    bool ready;
    uint64_t timeout_ns;
};
inline constexpr uint64_t kLineNoTimeout = ~0ull;

// ---- Lab 5, line_discipline.cc ----

// Sets up an empty discipline with abi::kDefaultTermios; `host` outlives it.
void line_init(LineDiscipline& line, LineHost& host);
void line_destroy(LineDiscipline& line);

// Input from the device. Returns how many bytes were consumed; fewer than given only when
// the buffer is full of input that somebody may still read: the device offers the rest
// again after a read. A canonical line that fills the buffer without its end loses what
// follows instead (POSIX 11.1.6), since no read could ever make room.
size_t line_receive(LineDiscipline& line, std::span<const unsigned char> input);

// Does a read(2) of `wanted` (> 0) bytes find what it needs? Canonical: a line, or an end
// of file. Raw: as MIN and TIME say (POSIX 11.1.7).
LineWait line_wait(const LineDiscipline& line, size_t wanted);
// Bytes that reads would get now (FIONREAD).
size_t line_available(const LineDiscipline& line);
// The next bytes for a read that has room for `size`; nothing is consumed.
LineChunk line_next(LineDiscipline& line, size_t size);
// The reader has taken `size` bytes of the chunk. An end-of-file mark directly behind
// them ended their line: it goes with them.
void line_consume(LineDiscipline& line, size_t size);
// Is an end of file the next thing to read? Takes it, so that it ends one read only.
bool line_take_eof(LineDiscipline& line);

// Output from a writer. Returns how many bytes were consumed: fewer than given when the
// device is full or output is stopped (VSTOP); a newline that becomes CR LF goes whole or
// not at all.
size_t line_write(LineDiscipline& line, const char* data, size_t size);
// The device has room again: sends echo that did not fit before.
void line_output_ready(LineDiscipline& line);
bool line_stopped(const LineDiscipline& line);

// tcsetattr(3). Input that is buffered stays readable when ICANON changes; a mark of end
// of file among it does not become one in the new mode.
void line_set_termios(LineDiscipline& line, const abi::Termios& termios);
// tcflush(3) TCIFLUSH: drops everything received and not read.
void line_flush_input(LineDiscipline& line);
