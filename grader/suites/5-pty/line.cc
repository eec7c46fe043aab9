#include "grader/suites/5-pty/line.h"

std::string screen(const std::string& out, size_t width) {
    std::vector<std::string> lines(1);
    size_t column = 0;
    for (char c : out) {
        auto byte = static_cast<unsigned char>(c);
        if (c == '\n') {
            lines.emplace_back();
        } else if (c == '\r') {
            column = 0;
        } else if (c == '\b') {
            column -= column > 0;
        } else if (c == '\t') {
            column = std::min(width - 1, (column / 8 + 1) * 8);
        } else if ((byte & 0xc0) == 0x80 && column > 0) {
            // The rest of a UTF-8 character belongs to the cell of its first byte, which is
            // shown as '*'.
        } else {
            std::string& line = lines.back();
            if (line.size() <= column) line.resize(column + 1, ' ');
            line[column] = byte >= 0xc0 ? '*' : c;
            column = std::min(column + 1, width - 1);
        }
    }
    std::string text;
    for (std::string& line : lines) {
        line.erase(line.find_last_not_of(' ') + 1);
        text += (&line == &lines.front() ? "" : "\n") + line;
    }
    return text;
}

std::string LineTest::read(size_t size) {
    if (!line_wait(line_, size).ready) return kWaits;
    if (line_take_eof(line_)) return "";
    std::string text;
    while (text.size() < size) {
        LineChunk chunk = line_next(line_, size - text.size());
        EXPECT_LE(chunk.bytes.size(), size - text.size()) << "more than the reader has room for";
        text.append(chunk.bytes.begin(), chunk.bytes.end());
        line_consume(line_, chunk.bytes.size());
        if (chunk.last) break;
        if (chunk.bytes.empty()) {
            ADD_FAILURE() << "an empty chunk that is not the last: the reader would spin";
            break;
        }
    }
    return text;
}

void LineTest::set(uint32_t iflag_on, uint32_t iflag_off, uint32_t lflag_on,
                   uint32_t lflag_off) {
    abi::Termios t = termios();
    t.iflag = (t.iflag | iflag_on) & ~iflag_off;
    t.lflag = (t.lflag | lflag_on) & ~lflag_off;
    line_set_termios(line_, t);
}

void LineTest::make_raw(uint8_t min, uint8_t time) {
    abi::Termios t = termios();
    t.iflag = 0;
    t.oflag = 0;
    t.lflag = 0;
    t.cc[VMIN] = min;
    t.cc[VTIME] = time;
    line_set_termios(line_, t);
}
