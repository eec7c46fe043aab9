#include "user/sh/editor.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "user/sh/complete.h"
#include "user/sh/history.h"
#include "user/sh/shell.h"
#include "user/sh/utf8.h"

namespace {

// Keys are characters, or these; those with a control character of their own become that.
enum Key : int {
    kEnd = -1,
    kCharacter = 256,
    kDelete,
    kWordLeft,
    kWordRight,
    kWordDelete,
    kNone
};
constexpr int control(char letter) { return letter & 0x1f; }
constexpr int kEscape = 0x1b, kBackspace = 0x7f;

termios found_modes;
bool have_modes = false;
std::string cut;  // by Ctrl-K, U, W

class Editor {
  public:
    Editor(std::string_view prompt, std::string& line) : prompt_(prompt), line_(line) {}

    LineEnd run() {
        show();
        for (;;) {
            int key = read_key();
            if (key == control('r')) key = search();
            bool empty = line_.empty();
            if (key == '\r' || key == '\n') return finish("\n", LineEnd::Enter);
            if (key == control('c')) return finish("^C\n", LineEnd::Interrupted);
            if (key == kEnd || (key == control('d') && empty))
                return finish("\n", LineEnd::End);
            handle(key);
        }
    }

  private:
    struct Place {
        size_t row, column;
    };

    // ---- input ----

    int read_byte() {
        unsigned char byte;
        ssize_t got;
        while ((got = read(0, &byte, 1)) < 0 && errno == EINTR) {
        }
        return got == 1 ? static_cast<int>(byte) : static_cast<int>(kEnd);
    }

    // A whole character lands in typed_.
    int read_key() {
        int byte = read_byte();
        if (byte == kEscape) return read_escape();
        if (byte < 0x20 || byte == kBackspace) return byte;
        typed_ = static_cast<char>(byte);
        int more = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : byte >= 0xc0 ? 1 : 0;
        while (more-- > 0) {
            if ((byte = read_byte()) < 0) return kEnd;
            typed_ += static_cast<char>(byte);
        }
        return kCharacter;
    }

    // ESC [ numbers letter, ESC O letter, or ESC letter (Alt).
    int read_escape() {
        int byte = read_byte();
        switch (byte) {
            case 'b': return kWordLeft;
            case 'f': return kWordRight;
            case 'd': return kWordDelete;
            case kBackspace: return control('w');
            case '[':
            case 'O': break;
            default: return byte == kEnd ? kEnd : kNone;
        }
        std::string numbers;
        while ((byte = read_byte()) == ';' || (byte >= '0' && byte <= '9')) {
            numbers += static_cast<char>(byte);
        }
        bool with_control = numbers.ends_with(";5") || numbers.ends_with(";3");
        switch (byte) {
            case 'A': return control('p');
            case 'B': return control('n');
            case 'C': return with_control ? kWordRight : control('f');
            case 'D': return with_control ? kWordLeft : control('b');
            case 'H': return control('a');
            case 'F': return control('e');
            case '~': break;
            default: return byte == kEnd ? kEnd : kNone;
        }
        switch (numbers.empty() ? '0' : numbers[0]) {
            case '1':
            case '7': return control('a');
            case '3': return kDelete;
            case '4':
            case '8': return control('e');
        }
        return kNone;
    }

    // ---- screen ----

    static size_t columns() {
        winsize size{};
        ioctl(0, TIOCGWINSZ, &size);
        return size.ws_col > 1 ? size.ws_col : 80;
    }

    // Where the text ends that starts at a place. Sequences ESC [ ... letter take no
    // room.
    Place advance(Place place, std::string_view text) const {
        for (size_t at = 0; at < text.size(); at += character_size(text, at)) {
            if (text.substr(at).starts_with("\x1b[")) {
                at += 2;
                while (at < text.size() && (text[at] < 0x40)) ++at;
                if (at == text.size()) break;
                continue;
            }
            if (text[at] == '\n') {
                place = {place.row + 1, 0};
                continue;
            }
            size_t width = character_width(text, at);
            if (place.column + width > columns_) place = {place.row + 1, 0};
            place.column += width;
        }
        return place;
    }
    // There is no column after the last one: it is the first of the next row.
    Place wrapped(Place place) const {
        return place.column < columns_ ? place : Place{place.row + 1, 0};
    }

    static std::string visible(std::string_view text) {
        std::string result;
        for (char c : text) {
            if (static_cast<unsigned char>(c) < 0x20 || c == kBackspace) {
                result += '^';
                result += static_cast<char>(c ^ 0x40);
            } else {
                result += c;
            }
        }
        return result;
    }

    static void move(std::string& out, size_t count, char direction) {
        if (count > 0) out += "\x1b[" + std::to_string(count) + direction;
    }

    // Draws all again, from the row where the prompt starts.
    void show() {
        columns_ = columns();
        std::string out;
        move(out, row_, 'A');
        out += shown_ ? "\r" : "";
        out += prompt_ + visible(line_);
        Place end = advance({0, 0}, prompt_ + line_), last = wrapped(end);
        if (last.row != end.row) out += "\r\n";
        out += shown_ ? "\x1b[J" : "";
        Place cursor = wrapped(advance({0, 0}, prompt_ + line_.substr(0, cursor_)));
        if (cursor.row != last.row || cursor.column != last.column) {
            move(out, last.row - cursor.row, 'A');
            out += '\r';
            move(out, cursor.column, 'C');
        }
        write_all(2, out);
        row_ = cursor.row;
        column_ = cursor.column;
        shown_ = true;
    }

    LineEnd finish(std::string_view text, LineEnd end) {
        if (cursor_ != line_.size()) {
            cursor_ = line_.size();
            show();
        }
        write_all(2, text);
        return end;
    }

    // ---- editing ----

    void insert(std::string_view text) {
        bool at_end = cursor_ == line_.size();
        line_.insert(cursor_, text);
        cursor_ += text.size();
        size_t width = 0;
        for (size_t i = 0; i < text.size(); i += character_size(text, i)) {
            width += character_width(text, i);
        }
        // Nearly always nothing else moves.
        if (at_end && width > 0 && column_ + width < columns_ && visible(text) == text) {
            write_all(2, text);
            column_ += width;
        } else {
            show();
        }
    }

    void erase(size_t from, size_t to, bool keep = false) {
        if (keep && from != to) cut = line_.substr(from, to - from);
        line_.erase(from, to - from);
        cursor_ = from;
        show();
    }

    void move_to(size_t cursor) {
        cursor_ = cursor;
        show();
    }

    size_t word_left() const {
        size_t at = cursor_;
        while (at > 0 && line_[at - 1] == ' ') --at;
        while (at > 0 && line_[at - 1] != ' ') --at;
        return at;
    }
    size_t word_right() const {
        size_t at = cursor_;
        while (at < line_.size() && line_[at] == ' ') ++at;
        while (at < line_.size() && line_[at] != ' ') ++at;
        return at;
    }

    void handle(int key) {
        switch (key) {
            case kCharacter: return insert(typed_);
            case control('a'): return move_to(0);
            case control('e'): return move_to(line_.size());
            case control('b'): return move_to(before_character(line_, cursor_));
            case control('f'): return move_to(after_character(line_, cursor_));
            case kWordLeft: return move_to(word_left());
            case kWordRight: return move_to(word_right());
            case kBackspace:
            case control('h'): return erase(before_character(line_, cursor_), cursor_);
            case kDelete:
            case control('d'): return erase(cursor_, after_character(line_, cursor_));
            case kWordDelete: return erase(cursor_, word_right(), true);
            case control('w'): return erase(word_left(), cursor_, true);
            case control('u'): return erase(0, cursor_, true);
            case control('k'): return erase(cursor_, line_.size(), true);
            case control('y'): return insert(cut);
            case control('p'): return recall(+1);
            case control('n'): return recall(-1);
            case '\t': return complete_word();
            case control('l'):
                write_all(2, "\x1b[H\x1b[2J");
                row_ = 0;
                return show();
        }
    }

    // Further back (+1) or forth (-1). Line 0 is the one being typed.
    void recall(int step) {
        size_t size = history_size();
        if (step > 0 ? back_ >= size : back_ == 0) return;
        if (back_ == 0) typed_line_ = line_;
        back_ += static_cast<size_t>(step);
        line_ = back_ == 0 ? typed_line_ : history_line(size - back_);
        move_to(line_.size());
    }

    // Ctrl-R: the latest line that contains what is typed. Returns the key that ended it.
    int search() {
        std::string wanted, prompt = prompt_, before = line_;
        size_t from = history_size();
        int key;
        for (;;) {
            prompt_ = "(search) " + wanted + ": ";
            show();
            key = read_key();
            if (key == kCharacter) {
                wanted += typed_;
                from = history_size();
            } else if (key == kBackspace || key == control('h')) {
                wanted.erase(before_character(wanted, wanted.size()));
                from = history_size();
            } else if (key != control('r')) {
                break;
            }
            for (size_t i = from; i-- > 0 && !wanted.empty();) {
                size_t found = history_line(i).find(wanted);
                bool again = key == control('r') && history_line(i) == line_;
                if (found == std::string::npos || again) continue;
                line_ = history_line(i);
                cursor_ = found;
                from = i;
                break;
            }
        }
        if (key == control('g')) {
            line_ = before;
            key = kNone;
        }
        prompt_ = prompt;
        move_to(line_.size());
        return key;
    }

    void complete_word() {
        Completion completion = complete(line_, cursor_);
        const Strings& choices = completion.choices;
        if (choices.empty()) return;
        std::string common = choices[0];
        for (const std::string& choice : choices) {
            size_t same = 0;
            while (same < common.size() && same < choice.size() &&
                   common[same] == choice[same]) {
                ++same;
            }
            common.resize(same);
        }
        if (choices.size() == 1 && !common.ends_with('/')) common += ' ';
        bool longer = common.size() > cursor_ - completion.start;
        if (longer) {
            line_.replace(completion.start, cursor_ - completion.start, common);
            return move_to(completion.start + common.size());
        }
        if (choices.size() > 1) list(choices);
    }

    void list(const Strings& choices) {
        size_t cursor = cursor_;
        finish("\n", LineEnd::Enter);
        std::string out;
        size_t used = 0;
        for (const std::string& choice : choices) {
            if (used > 0 && used + choice.size() + 2 > columns_) {
                out += '\n';
                used = 0;
            }
            out += (used > 0 ? "  " : "") + choice;
            used += choice.size() + 2;
        }
        write_all(2, out + "\n");
        row_ = 0;
        move_to(cursor);
    }

    std::string prompt_;
    std::string& line_;
    size_t cursor_ = 0;  // in bytes
    size_t columns_ = 80;
    size_t row_ = 0, column_ = 0;  // of the cursor, from the start of the prompt
    bool shown_ = false;
    std::string typed_;       // the character of kCharacter
    std::string typed_line_;  // put aside while looking at history
    size_t back_ = 0;         // lines of history that we went back
};

}  // namespace

LineEnd read_line(std::string_view prompt, std::string& line) {
    line.clear();
    if (tcgetattr(0, &found_modes) != 0) {
        write_all(2, prompt);
        char c;
        ssize_t got;
        while ((got = read(0, &c, 1)) == 1 && c != '\n') line += c;
        return got == 1 || !line.empty() ? LineEnd::Enter : LineEnd::End;
    }
    have_modes = true;
    termios raw = found_modes;
    // Enter still becomes a newline (ICRNL): so it stays one for a command that reads it
    // later.
    raw.c_iflag |= ICRNL;
    raw.c_iflag &= ~static_cast<tcflag_t>(INLCR | IGNCR | IXON);
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ISIG | IEXTEN);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    tcsetattr(0, TCSANOW, &raw);
    LineEnd end = Editor(prompt, line).run();
    restore_terminal();
    return end;
}

void restore_terminal() {
    if (have_modes) tcsetattr(0, TCSANOW, &found_modes);
}
