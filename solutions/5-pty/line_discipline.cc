// The line discipline (POSIX XBD chapter 11; contracts in kernel/tty/line_discipline.h).
//
// Input is one circular buffer and three positions that only grow:
//
//        read            committed            head
//   ------|------------------|-----------------|------
//         | lines, to be read | the line edited |
//
// Canonical mode edits between committed and head: erase never crosses `committed`, and a
// line becomes readable by moving it. Raw mode keeps committed == head. Where lines end
// is a bit a byte beside the buffer: an end-of-file character can then be told from a
// newline, and a reader with a small buffer finds the rest of its line at the next read.
//
// Most input is plain text, and most output too. `special` says for every byte value
// whether it needs a decision under the present termios; runs of plain bytes are copied
// and echoed as a whole. That is what makes long writes cheap: deciding byte by byte
// costs fifteen instructions a byte, a run costs under three.
//
// Echo that the device does not take waits in `echo` and goes out before any later
// output, so that neither order nor bytes are lost to a full device. When even that is
// full, echo is dropped: input must not wait for somebody to read the output.
#include "kernel/tty/line_discipline.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "kernel/abi/signal.h"
#include "kernel/base/ring.h"

namespace {

constexpr uint64_t kIndexMask = kLineCapacity - 1;
constexpr size_t kEchoCapacity = 2048;
constexpr uint64_t kDecisecond = 100'000'000;  // the unit of TIME, in ns
constexpr uint32_t kTabWidth = 8;
static_assert(std::has_single_bit(kLineCapacity));

// One bit for each byte of the input buffer, by position.
class Marks {
  public:
    bool at(uint64_t position) const { return (word(position) >> (position & 63)) & 1; }
    void set(uint64_t position) { words_[index(position)] |= bit(position); }
    void clear(uint64_t position) { words_[index(position)] &= ~bit(position); }
    void clear_all() { std::memset(words_, 0, sizeof words_); }
    // The first marked position in [from, to), or `to`.
    uint64_t find(uint64_t from, uint64_t to) const {
        while (from < to) {
            uint64_t rest = word(from) >> (from & 63);
            if (rest != 0) {
                return std::min(to, from + static_cast<uint64_t>(std::countr_zero(rest)));
            }
            from = (from | 63) + 1;
        }
        return to;
    }

  private:
    static size_t index(uint64_t position) { return (position & kIndexMask) / 64; }
    static uint64_t bit(uint64_t position) { return 1ull << (position & 63); }
    uint64_t word(uint64_t position) const { return words_[index(position)]; }

    uint64_t words_[kLineCapacity / 64] = {};
};

struct State {
    uint64_t read = 0, committed = 0, head = 0;
    Marks ends;          // the byte ends its line
    Marks eofs;          // ... and is no data: an end-of-file character was typed
    bool literal = false;  // the next byte is data, whatever it is (VLNEXT)
    bool stopped = false;  // output is held (VSTOP)
    bool any_special = false;
    uint32_t column = 0;       // of the output
    uint32_t line_column = 0;  // where the echo of the edited line began
    uint8_t special[256] = {};
    Ring echo;
    unsigned char echo_memory[kEchoCapacity];
    unsigned char buffer[kLineCapacity];

    unsigned char& byte(uint64_t position) { return buffer[position & kIndexMask]; }
    uint64_t used() const { return head - read; }
};

State& state_of(LineDiscipline& line) { return line.lab.get<State>(); }
const State& state_of(const LineDiscipline& line) {
    return const_cast<LineDiscipline&>(line).lab.get<State>();
}

bool has(uint32_t flags, uint32_t wanted) { return (flags & wanted) == wanted; }
bool canonical(const LineDiscipline& line) { return has(line.termios.lflag, ICANON); }
bool is_control(unsigned char c) { return c < 0x20 || c == 0x7f; }
bool is_utf8_tail(unsigned char c) { return (c & 0xc0) == 0x80; }
bool is_character(const LineDiscipline& line, int index, unsigned char c) {
    return c == line.termios.cc[index] && c != abi::kDisabledCharacter;
}

// Which bytes take the slow path of receive_special().
void update_special(LineDiscipline& line) {
    State& state = state_of(line);
    const abi::Termios& t = line.termios;
    std::memset(state.special, 0, sizeof state.special);
    state.any_special = false;
    auto mark = [&](unsigned char c) {
        state.special[c] = 1;
        state.any_special = true;
    };
    auto mark_characters = [&](std::initializer_list<int> indexes) {
        for (int index : indexes)
            if (t.cc[index] != abi::kDisabledCharacter) mark(t.cc[index]);
    };
    if ((t.iflag & (IGNCR | ICRNL)) != 0) mark('\r');
    if (has(t.iflag, INLCR)) mark('\n');
    if (has(t.iflag, IXON)) mark_characters({VSTART, VSTOP});
    if (has(t.lflag, ISIG)) mark_characters({VINTR, VQUIT, VSUSP});
    if (has(t.lflag, ICANON)) {
        mark('\n');
        mark_characters({VERASE, VKILL, VEOF, VEOL});
        if (has(t.lflag, IEXTEN)) mark_characters({VWERASE, VLNEXT, VREPRINT});
    }
    if (has(t.lflag, ECHO)) {
        for (int c = 0; c < 0x20; ++c) mark(static_cast<unsigned char>(c));
        mark(0x7f);
    }
}

// ---- Echo ----

void flush_echo(LineDiscipline& line) {
    State& state = state_of(line);
    if (state.stopped) return;
    for (;;) {
        auto part = ring_read_span(state.echo, kEchoCapacity);
        if (part.empty()) return;
        size_t taken =
            line.host->output(reinterpret_cast<const char*>(part.data()), part.size());
        ring_commit_read(state.echo, taken);
        if (taken < part.size()) return;
    }
}

// Queues `size` bytes of echo, all or none of them; false when they were dropped.
bool queue_echo(State& state, const char* text, size_t size) {
    return size <= ring_free(state.echo) && ring_write(state.echo, text, size) == size;
}

void echo_newline(LineDiscipline& line) {
    State& state = state_of(line);
    bool return_too = has(line.termios.oflag, OPOST | ONLCR);
    if (queue_echo(state, return_too ? "\r\n" : "\n", return_too ? 2 : 1)) state.column = 0;
}

// Cells that `c` takes on the screen when it is echoed at `column`.
uint32_t echo_width(const LineDiscipline& line, unsigned char c, uint32_t column) {
    if (c == '\t') return kTabWidth - column % kTabWidth;
    if (is_control(c)) return has(line.termios.lflag, ECHOCTL) ? 2 : 0;
    return has(line.termios.iflag, IUTF8) && is_utf8_tail(c) ? 0 : 1;
}

void echo_byte(LineDiscipline& line, unsigned char c) {
    State& state = state_of(line);
    if (c == '\n') return echo_newline(line);
    char text[2] = {static_cast<char>(c), 0};
    size_t size = 1;
    if (c != '\t' && is_control(c) && has(line.termios.lflag, ECHOCTL)) {
        text[0] = '^';
        text[1] = static_cast<char>(c ^ 0x40);
        size = 2;
    }
    uint32_t width = echo_width(line, c, state.column);
    if (queue_echo(state, text, size)) state.column += width;
}

// Blanks the last `cells` cells before the cursor.
bool echo_erase(State& state, uint32_t cells) {
    if (cells * 3 > ring_free(state.echo)) return false;
    for (uint32_t i = 0; i < cells; ++i) queue_echo(state, "\b \b", 3);
    state.column -= std::min(state.column, cells);
    return true;
}

// Cells that the edited line takes up to `end`.
uint32_t line_width(LineDiscipline& line, uint64_t end) {
    State& state = state_of(line);
    uint32_t column = state.line_column;
    for (uint64_t at = state.committed; at < end; ++at) {
        column += echo_width(line, state.byte(at), column);
    }
    return column - state.line_column;
}

// ---- Editing ----

// Where the last character of the edited line starts.
uint64_t last_character(LineDiscipline& line) {
    State& state = state_of(line);
    const bool utf8 = has(line.termios.iflag, IUTF8);
    uint64_t at = state.head;
    while (at > state.committed && utf8 && is_utf8_tail(state.byte(at - 1))) --at;
    return at > state.committed ? at - 1 : at;
}

// Cuts the edited line at `end` and shows it.
void cut_line(LineDiscipline& line, uint64_t end, unsigned char typed) {
    State& state = state_of(line);
    if (end == state.head) return;
    const uint32_t lflag = line.termios.lflag;
    uint32_t cells = line_width(line, state.head) - line_width(line, end);
    state.head = end;
    if (!has(lflag, ECHO)) return;
    if (has(lflag, ECHOE) && echo_erase(state, cells)) return;
    echo_byte(line, typed);
    if (has(lflag, ECHOK) && is_character(line, VKILL, typed)) echo_newline(line);
}

// Where the last word of the edited line starts, blanks behind it included.
uint64_t last_word(State& state) {
    auto blank = [&](auto at) { return state.byte(at) == ' ' || state.byte(at) == '\t'; };
    uint64_t end = state.head;
    while (end > state.committed && blank(end - 1)) --end;
    while (end > state.committed && !blank(end - 1)) --end;
    return end;
}

void reprint_line(LineDiscipline& line, unsigned char typed) {
    State& state = state_of(line);
    if (!has(line.termios.lflag, ECHO)) return;
    echo_byte(line, typed);
    echo_newline(line);
    state.line_column = 0;
    for (uint64_t at = state.committed; at < state.head; ++at)
        echo_byte(line, state.byte(at));
}

// ---- Storing ----

// Bytes of data that may be stored now. A canonical line leaves one place for its end.
size_t input_room(const LineDiscipline& line) {
    size_t limit = canonical(line) ? kLineCapacity - 1 : kLineCapacity;
    uint64_t used = state_of(line).used();
    return used >= limit ? 0 : limit - used;
}

// Nothing can be read that would make room: what follows of this line is lost.
bool overflows(const LineDiscipline& line) {
    const State& state = state_of(line);
    return canonical(line) && state.read == state.committed;
}

void store_run(LineDiscipline& line, const unsigned char* data, size_t size) {
    State& state = state_of(line);
    if (state.head == state.committed) state.line_column = state.column;
    size_t index = state.head & kIndexMask;
    size_t first = std::min(size, kLineCapacity - index);
    std::memcpy(state.buffer + index, data, first);
    std::memcpy(state.buffer, data + first, size - first);
    state.head += size;
    if (!canonical(line)) state.committed = state.head;
}

// One byte of data. False: no room, and a reader may make some.
bool store_byte(LineDiscipline& line, unsigned char c) {
    if (input_room(line) == 0) return overflows(line);
    store_run(line, &c, 1);
    if (has(line.termios.lflag, ECHO)) echo_byte(line, c);
    return true;
}

// Ends the edited line with `c` (data), or with an end-of-file mark. False: no room.
bool end_line(LineDiscipline& line, unsigned char c, bool is_eof) {
    State& state = state_of(line);
    if (state.used() >= kLineCapacity) return false;
    state.byte(state.head) = c;
    state.ends.set(state.head);
    if (is_eof) state.eofs.set(state.head);
    state.committed = ++state.head;
    if (!is_eof && has(line.termios.lflag, ECHO)) echo_byte(line, c);
    return true;
}

// ---- Input, a byte at a time where it matters ----

// The signal that `c` stands for, or 0.
int signal_of(const LineDiscipline& line, unsigned char c) {
    if (!has(line.termios.lflag, ISIG)) return 0;
    if (is_character(line, VINTR, c)) return SIGINT;
    if (is_character(line, VQUIT, c)) return SIGQUIT;
    if (is_character(line, VSUSP, c)) return SIGTSTP;
    return 0;
}

void raise(LineDiscipline& line, int signal, unsigned char c) {
    State& state = state_of(line);
    line_flush_input(line);
    ring_commit_read(state.echo, ring_used(state.echo));
    line.host->flush_output();
    state.stopped = false;
    if (has(line.termios.lflag, ECHO)) echo_byte(line, c);
    line.host->signal(signal);
}

// Canonical mode's own characters. False: no room for a line's end or for data.
bool receive_canonical(LineDiscipline& line, unsigned char c) {
    State& state = state_of(line);
    const bool extended = has(line.termios.lflag, IEXTEN);
    if (c == '\n') return end_line(line, c, false);
    if (is_character(line, VEOF, c)) return end_line(line, 0, true);
    if (is_character(line, VEOL, c)) return end_line(line, c, false);
    if (is_character(line, VERASE, c)) {
        cut_line(line, last_character(line), c);
    } else if (is_character(line, VKILL, c)) {
        cut_line(line, state.committed, c);
    } else if (extended && is_character(line, VWERASE, c)) {
        cut_line(line, last_word(state), c);
    } else if (extended && is_character(line, VREPRINT, c)) {
        reprint_line(line, c);
    } else if (extended && is_character(line, VLNEXT, c)) {
        state.literal = true;
        // A caret under the cursor until the next byte takes its place.
        if (has(line.termios.lflag, ECHO | ECHOCTL)) queue_echo(state, "^\b", 2);
    } else {
        return store_byte(line, c);
    }
    return true;
}

// Any byte, by all the rules. False: not consumed, for lack of room.
bool receive_byte(LineDiscipline& line, unsigned char c) {
    State& state = state_of(line);
    const uint32_t iflag = line.termios.iflag;
    if (state.literal) {
        if (!store_byte(line, c)) return false;
        state.literal = false;
        return true;
    }
    if (c == '\r') {
        if (has(iflag, IGNCR)) return true;
        if (has(iflag, ICRNL)) c = '\n';
    } else if (c == '\n' && has(iflag, INLCR)) {
        c = '\r';
    }
    if (has(iflag, IXON)) {
        if (is_character(line, VSTART, c)) return state.stopped = false, true;
        if (is_character(line, VSTOP, c)) return state.stopped = true, true;
    }
    if (int signal = signal_of(line, c); signal != 0) return raise(line, signal, c), true;
    return canonical(line) ? receive_canonical(line, c) : store_byte(line, c);
}

// Length of the run of plain bytes at the start of `input`.
size_t plain_input(const State& state, std::span<const unsigned char> input) {
    if (!state.any_special) return input.size();
    size_t n = 0;
    while (n < input.size() && state.special[input[n]] == 0) ++n;
    return n;
}

// Stores as much of a plain run as there is room for, with its echo.
size_t receive_plain(LineDiscipline& line, std::span<const unsigned char> run) {
    State& state = state_of(line);
    size_t size = std::min(run.size(), input_room(line));
    store_run(line, run.data(), size);
    if (!has(line.termios.lflag, ECHO)) return size;
    if (queue_echo(state, reinterpret_cast<const char*>(run.data()), size)) {
        bool utf8 = has(line.termios.iflag, IUTF8);
        for (size_t i = 0; i < size; ++i) state.column += !utf8 || !is_utf8_tail(run[i]);
    }
    return size;
}

// The buffer is full and nobody reads: a signal character must get through all the same.
// It flushes what was typed before it, so the bytes before it may go. Returns how many
// bytes of `rest` were consumed, or 0.
size_t receive_signal_behind(LineDiscipline& line, std::span<const unsigned char> rest) {
    for (size_t i = 0; i < rest.size(); ++i) {
        int signal = signal_of(line, rest[i]);
        if (signal == 0) continue;
        raise(line, signal, rest[i]);
        return i + 1;
    }
    return 0;
}

// ---- Output ----

// Length of the run at the start of `data` that needs no processing, and how many columns
// it moves the cursor. Words at a time: a byte below 0x20 borrows from its own high bit.
// (In a freestanding kernel std::memcpy is a call, and so is std::popcount.)
size_t plain_output(const char* data, size_t size, bool utf8, uint32_t& columns) {
    constexpr uint64_t kOnes = ~0ull / 255, kHighs = kOnes * 0x80, kLow = kOnes * 0x20;
    size_t n = 0;
    uint64_t word, next;
    for (; n + 16 <= size; n += 16) {  // ASCII, as most text is
        __builtin_memcpy(&word, data + n, 8);
        __builtin_memcpy(&next, data + n + 8, 8);
        if (((word | (word - kLow) | next | (next - kLow)) & kHighs) != 0) break;
    }
    columns = static_cast<uint32_t>(n);
    for (; n + 8 <= size; n += 8) {
        __builtin_memcpy(&word, data + n, 8);
        if (((word - kLow) & ~word & kHighs) != 0) break;
        columns += 8;
        // Tails of UTF-8 characters: high bit set, next one clear. The product's top byte
        // is their number.
        if (utf8) columns -= ((word & ~(word << 1) & kHighs) >> 7) * kOnes >> 56;
    }
    while (n < size && static_cast<unsigned char>(data[n]) >= 0x20) {
        columns += !utf8 || !is_utf8_tail(static_cast<unsigned char>(data[n]));
        ++n;
    }
    return n;
}

// A control character of the output. False: it does not fit.
bool write_control(LineDiscipline& line, char c) {
    State& state = state_of(line);
    const char* text = &c;
    size_t size = 1;
    uint32_t column = state.column;
    if (c == '\n' && has(line.termios.oflag, ONLCR)) {
        text = "\r\n";
        size = 2;
        column = 0;
    } else if (c == '\r') {
        column = 0;
    } else if (c == '\t') {
        column += kTabWidth - column % kTabWidth;
    } else if (c == '\b' && column > 0) {
        --column;
    }
    if (size > 1 && line.host->output_room() < size) return false;
    if (line.host->output(text, size) != size) return false;
    state.column = column;
    return true;
}

}  // namespace

void line_init(LineDiscipline& line, LineHost& host) {
    line.host = &host;
    line.termios = abi::kDefaultTermios;
    State& state = line.lab.construct<State>();
    ring_init(state.echo, state.echo_memory, kEchoCapacity);
    update_special(line);
}

void line_destroy(LineDiscipline& line) { line.lab.destroy<State>(); }

size_t line_receive(LineDiscipline& line, std::span<const unsigned char> input) {
    State& state = state_of(line);
    size_t done = 0;
    while (done < input.size()) {
        std::span<const unsigned char> rest = input.subspan(done);
        size_t run = state.literal ? 0 : plain_input(state, rest);
        if (run > 0) {
            size_t stored = receive_plain(line, rest.first(run));
            done += stored;
            if (stored == run) continue;
        } else if (receive_byte(line, rest[0])) {
            ++done;
            continue;
        }
        // No room. Nothing to read makes room in an overlong line: its rest is dropped by
        // store_byte.
        rest = input.subspan(done);
        if (overflows(line) && receive_byte(line, rest[0])) {
            ++done;
            continue;
        }
        size_t signalled = receive_signal_behind(line, rest);
        if (signalled == 0) break;
        done += signalled;
    }
    flush_echo(line);
    return done;
}

LineWait line_wait(const LineDiscipline& line, size_t wanted) {
    const State& state = state_of(line);
    if (canonical(line)) return {state.read != state.committed, kLineNoTimeout};
    const size_t available = state.head - state.read;
    const size_t min = line.termios.cc[VMIN];
    const uint64_t time = line.termios.cc[VTIME] * kDecisecond;
    if (min == 0) return {available > 0 || time == 0, time};
    bool enough = available >= std::min(min, wanted);
    // With MIN, TIME runs between bytes: not before the first one.
    return {enough, time != 0 && available > 0 ? time : kLineNoTimeout};
}

size_t line_available(const LineDiscipline& line) {
    const State& state = state_of(line);
    size_t bytes = state.committed - state.read;
    for (uint64_t at = state.eofs.find(state.read, state.committed); at < state.committed;
         at = state.eofs.find(at + 1, state.committed))
        --bytes;
    return bytes;
}

LineChunk line_next(LineDiscipline& line, size_t size) {
    State& state = state_of(line);
    uint64_t end = state.committed;
    if (canonical(line)) {
        end = state.ends.find(state.read, state.committed);
        if (end < state.committed && !state.eofs.at(end)) ++end;
    }
    size_t index = state.read & kIndexMask;
    size_t wanted = std::min<uint64_t>(size, end - state.read);
    size_t contiguous = std::min(wanted, kLineCapacity - index);
    return {{state.buffer + index, contiguous}, contiguous == wanted};
}

void line_consume(LineDiscipline& line, size_t size) {
    if (size == 0) return;
    State& state = state_of(line);
    // Within a chunk only the last byte can be marked.
    uint64_t last = state.read + size - 1;
    bool line_ended = state.ends.at(last);
    state.ends.clear(last);
    state.read += size;
    if (!line_ended && state.read < state.committed && state.eofs.at(state.read))
        line_take_eof(line);
}

bool line_take_eof(LineDiscipline& line) {
    State& state = state_of(line);
    if (state.read == state.committed || !state.eofs.at(state.read)) return false;
    state.eofs.clear(state.read);
    state.ends.clear(state.read);
    ++state.read;
    return true;
}

size_t line_write(LineDiscipline& line, const char* data, size_t size) {
    State& state = state_of(line);
    flush_echo(line);
    if (state.stopped || ring_used(state.echo) != 0) return 0;
    if (!has(line.termios.oflag, OPOST)) return line.host->output(data, size);
    const bool utf8 = has(line.termios.iflag, IUTF8);
    size_t done = 0;
    while (done < size) {
        uint32_t columns;
        size_t run = plain_output(data + done, size - done, utf8, columns);
        if (run > 0) {
            size_t taken = line.host->output(data + done, run);
            done += taken;
            if (taken < run) break;  // the column is wrong by a few until the next newline
            state.column += columns;
        } else {
            if (!write_control(line, data[done])) break;
            ++done;
        }
    }
    return done;
}

void line_output_ready(LineDiscipline& line) { flush_echo(line); }

bool line_stopped(const LineDiscipline& line) { return state_of(line).stopped; }

void line_set_termios(LineDiscipline& line, const abi::Termios& termios) {
    State& state = state_of(line);
    bool was_canonical = canonical(line);
    line.termios = termios;
    update_special(line);
    if (!has(termios.iflag, IXON)) state.stopped = false;
    if (was_canonical == canonical(line)) return;
    if (was_canonical) {
        // Marks mean nothing in raw mode: close the gaps that end-of-file marks leave.
        uint64_t to = state.read;
        for (uint64_t from = state.read; from < state.head; ++from) {
            if (!state.eofs.at(from)) state.byte(to++) = state.byte(from);
        }
        state.head = to;
        state.ends.clear_all();
        state.eofs.clear_all();
    }
    state.committed = state.head;
    state.literal = false;
}

void line_flush_input(LineDiscipline& line) {
    State& state = state_of(line);
    state.read = state.committed = state.head = 0;
    state.ends.clear_all();
    state.eofs.clear_all();
    state.literal = false;
}
