// A small terminal. The grid of cells in memory is the truth; after each write the cells that
// differ from what the display shows are drawn (looked for in the rows that were touched), so
// scrolling costs nothing until then, and a text of many lines is drawn once.
// Source of the sequences: ECMA-48, 8.3 (CUU, CUD, CUF, CUB, CUP, ED, EL, SGR).
#include "kernel/drivers/screen.h"

#include "kernel/base/raw_lock.h"
#include "kernel/base/string.h"
#include "kernel/drivers/framebuffer.h"
#include "kernel/drivers/vga_text.h"

namespace {

constexpr uint32_t kMaxColumns = 160, kMaxRows = 64;
constexpr uint32_t kTab = 8;
constexpr size_t kMaxParameters = 8;

VgaText vga_text;
FramebufferText framebuffer_text;

class Terminal {
  public:
    void init(TextDisplay* display) {
        display_ = display;
        columns_ = display->columns() < kMaxColumns ? display->columns() : kMaxColumns;
        set_rendition(0);
        rows_ = display->rows() < kMaxRows ? display->rows() : kMaxRows;
        for (auto& row : cells_) {
            for (Cell& cell : row) cell = kBlankCell;
        }
        touch(0, rows_);
        refresh();
    }

    void write(const char* text, size_t length) {
        for (size_t i = 0; i < length; i++) put(text[i]);
        refresh();
    }

    ScreenSize size() const { return {columns_, rows_}; }

  private:
    enum class State { Text, Escape, Parameters };

    void put(char c) {
        switch (state_) {
            case State::Text: return put_text(c);
            case State::Escape:
                state_ = c == '[' ? State::Parameters : State::Text;
                count_ = 0;
                parameters_[0] = 0;
                return;
            case State::Parameters: return put_parameter(c);
        }
    }

    void put_text(char c) {
        switch (c) {
            case '\x1b': state_ = State::Escape; return;
            case '\n':
                column_ = 0;
                return line_feed();
            case '\r': column_ = 0; return;
            case '\b':
                if (column_ > 0) column_--;
                return;
            case '\t': column_ = (column_ / kTab + 1) * kTab; break;
            default:
                if (static_cast<unsigned char>(c) < ' ') return;
                // The line breaks when the next character comes, not when it is full.
                if (column_ >= columns_) {
                    column_ = 0;
                    line_feed();
                }
                touch(row_, row_ + 1);
                cells_[row_][column_++] = {c, foreground_, background_};
        }
        if (column_ > columns_) column_ = columns_;
    }

    void line_feed() {
        if (row_ + 1 < rows_) {
            row_++;
            return;
        }
        touch(0, rows_);
        memmove(cells_[0], cells_[1], sizeof cells_[0] * (rows_ - 1));
        for (Cell& cell : cells_[rows_ - 1]) cell = kBlankCell;
    }

    void put_parameter(char c) {
        if (c >= '0' && c <= '9') {
            uint32_t& parameter = parameters_[count_];
            if (parameter < 1000) parameter = parameter * 10 + static_cast<uint32_t>(c - '0');
        } else if (c == ';') {
            if (count_ + 1 < kMaxParameters) parameters_[++count_] = 0;
        } else if (c >= '@') {
            state_ = State::Text;
            execute(c);
        }
    }

    void execute(char command) {
        uint32_t first = parameters_[0], n = first == 0 ? 1 : first;
        switch (command) {
            case 'A': row_ = row_ > n ? row_ - n : 0; break;
            case 'B': row_ = row_ + n < rows_ ? row_ + n : rows_ - 1; break;
            case 'C': column_ = column_ + n < columns_ ? column_ + n : columns_ - 1; break;
            case 'D': column_ = column_ > n ? column_ - n : 0; break;
            case 'H':
            case 'f': {
                uint32_t second = count_ > 0 && parameters_[1] > 0 ? parameters_[1] : 1;
                row_ = (n < rows_ ? n : rows_) - 1;
                column_ = (second < columns_ ? second : columns_) - 1;
                break;
            }
            case 'J': erase_display(first); break;
            case 'K': erase_line(first); break;
            case 'm':
                for (size_t i = 0; i <= count_; i++) set_rendition(parameters_[i]);
        }
    }

    // Both: 0 from the cursor to the end, 1 from the start to the cursor, 2 all.
    void erase_line(uint32_t what) {
        uint32_t from = what == 0 ? column_ : 0, to = what == 1 ? column_ + 1 : columns_;
        touch(row_, row_ + 1);
        for (uint32_t i = from; i < to && i < columns_; i++)
            cells_[row_][i] = {' ', foreground_, background_};
    }
    void erase_display(uint32_t what) {
        erase_line(what);
        uint32_t from = what == 0 ? row_ + 1 : 0, to = what == 1 ? row_ : rows_;
        touch(from, to);
        for (uint32_t row = from; row < to; row++) {
            for (Cell& cell : cells_[row]) cell = {' ', foreground_, background_};
        }
    }

    void set_rendition(uint32_t code) {
        constexpr uint8_t kBright = 8;
        if (code == 0) {
            foreground_ = kBlankCell.foreground;
            background_ = kBlankCell.background;
        } else if (code == 1) {
            foreground_ |= kBright;
        } else if (code == 7) {
            uint8_t background = background_;
            background_ = foreground_;
            foreground_ = background;
        } else if (code >= 30 && code <= 37) {
            foreground_ = static_cast<uint8_t>((foreground_ & kBright) | (code - 30));
        } else if (code == 39) {
            foreground_ = kBlankCell.foreground;
        } else if (code >= 40 && code <= 47) {
            background_ = static_cast<uint8_t>(code - 40);
        } else if (code == 49) {
            background_ = kBlankCell.background;
        } else if (code >= 90 && code <= 97) {
            foreground_ = static_cast<uint8_t>(code - 90 + kBright);
        }
    }

    void touch(uint32_t from_row, uint32_t to_row) {
        if (from_row < touched_from_) touched_from_ = from_row;
        if (to_row > touched_to_) touched_to_ = to_row;
    }

    void refresh() {
        // The cell that the cursor was on is drawn again; its cursor may be pixels.
        shown_[cursor_row_][cursor_column_].character = '\0';
        touch(cursor_row_, cursor_row_ + 1);
        for (uint32_t row = touched_from_; row < touched_to_; row++) {
            for (uint32_t column = 0; column < columns_; column++) {
                const Cell& cell = cells_[row][column];
                if (cell == shown_[row][column]) continue;
                display_->draw(column, row, cell);
                shown_[row][column] = cell;
            }
        }
        touched_from_ = rows_;
        touched_to_ = 0;
        cursor_row_ = row_;
        cursor_column_ = column_ < columns_ ? column_ : columns_ - 1;
        display_->show_cursor(cursor_column_, cursor_row_, cells_[cursor_row_][cursor_column_]);
    }

    TextDisplay* display_ = nullptr;
    uint32_t columns_ = 0, rows_ = 0;
    uint32_t column_ = 0, row_ = 0;  // column_ == columns_: the line is full
    uint32_t cursor_column_ = 0, cursor_row_ = 0;
    uint32_t touched_from_ = 0, touched_to_ = 0;  // rows that may differ from shown_
    uint8_t foreground_ = 0, background_ = 0;  // from init on those of kBlankCell
    State state_ = State::Text;
    uint32_t parameters_[kMaxParameters] = {};
    size_t count_ = 0;
    Cell cells_[kMaxRows][kMaxColumns] = {};
    Cell shown_[kMaxRows][kMaxColumns] = {};  // zeros differ from everything: not yet drawn
};

Terminal terminal;
RawLock lock;

}  // namespace

bool screen_init(const Framebuffer& framebuffer) {
    TextDisplay* display = nullptr;
    if (framebuffer_text.init(framebuffer)) display = &framebuffer_text;
    else if (framebuffer.address == 0 && vga_text.init()) display = &vga_text;
    if (display == nullptr) return false;
    terminal.init(display);
    return true;
}

void screen_write(const char* text, size_t length) {
    if (terminal.size().columns == 0) return;
    RawGuard guard(lock);
    terminal.write(text, length);
}

ScreenSize screen_size() { return terminal.size(); }
