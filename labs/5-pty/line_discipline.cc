// The line discipline (POSIX XBD chapter 11; contracts in kernel/tty/line_discipline.h).
//
// This is the starter: raw mode only, whatever the termios say. Input is a ring, a byte
// at a time with `%`; there is no echo, no line editing, no end of file, no signal
// character and no flow control. Output knows one rule, ONLCR, byte by byte. Shells that
// edit lines themselves (busybox ash, mello-sh) are usable with it; `cat` and `read` are
// not.
//
// Your part, in this order (sections of handouts/5-pty.md): "lines", with VERASE, VKILL
// and VEOF; "echo"; "signals"; "modes", which is MIN and TIME; "characters", all others
// and their flags; then "speed". State below is yours: change it as you like, it must
// only fit into LineDiscipline::lab.
#include "kernel/tty/line_discipline.h"

namespace {

struct State {
    unsigned char buffer[kLineCapacity];
    uint64_t read = 0, head = 0;  // bytes read and bytes received so far

    size_t used() const { return head - read; }
};

State& state_of(LineDiscipline& line) { return line.lab.get<State>(); }
const State& state_of(const LineDiscipline& line) {
    return const_cast<LineDiscipline&>(line).lab.get<State>();
}

}  // namespace

void line_init(LineDiscipline& line, LineHost& host) {
    line.host = &host;
    line.termios = abi::kDefaultTermios;
    line.lab.construct<State>();
}

void line_destroy(LineDiscipline& line) { line.lab.destroy<State>(); }

// "lines": canonical mode. "echo", "signals". "characters": translation, VSTOP, VSTART.
size_t line_receive(LineDiscipline& line, std::span<const unsigned char> input) {
    State& state = state_of(line);
    size_t done = 0;
    while (done < input.size() && state.used() < kLineCapacity) {
        state.buffer[state.head % kLineCapacity] = input[done];
        ++state.head;
        ++done;
    }
    return done;
}

// "lines": a whole line or an end of file. "modes": MIN and TIME.
LineWait line_wait(const LineDiscipline& line, size_t) {
    return {state_of(line).used() > 0, kLineNoTimeout};
}

size_t line_available(const LineDiscipline& line) { return state_of(line).used(); }

LineChunk line_next(LineDiscipline& line, size_t size) {
    State& state = state_of(line);
    size_t wanted = size < state.used() ? size : state.used();
    size_t index = state.read % kLineCapacity;
    size_t contiguous = wanted;
    if (contiguous > kLineCapacity - index) contiguous = kLineCapacity - index;
    return {{state.buffer + index, contiguous}, contiguous == wanted};
}

void line_consume(LineDiscipline& line, size_t size) { state_of(line).read += size; }

// "lines": VEOF.
bool line_take_eof(LineDiscipline&) { return false; }

// "characters": nothing goes out while output is stopped. "speed": runs instead of bytes.
size_t line_write(LineDiscipline& line, const char* data, size_t size) {
    const bool translate = (line.termios.oflag & (OPOST | ONLCR)) == (OPOST | ONLCR);
    size_t done = 0;
    while (done < size) {
        if (data[done] == '\n' && translate) {
            if (line.host->output_room() < 2) break;
            line.host->output("\r\n", 2);
        } else if (line.host->output(data + done, 1) == 0) {
            break;
        }
        ++done;
    }
    return done;
}

// "echo": what found the device full.
void line_output_ready(LineDiscipline&) {}

// "characters": VSTOP and VSTART.
bool line_stopped(const LineDiscipline&) { return false; }

// "modes": what is buffered when ICANON changes.
void line_set_termios(LineDiscipline& line, const abi::Termios& termios) {
    line.termios = termios;
}

void line_flush_input(LineDiscipline& line) {
    State& state = state_of(line);
    state.read = state.head = 0;
}
