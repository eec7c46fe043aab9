// What a terminal would show: text and the few sequences that mello-sh sends, on a screen
// of given width and any number of rows. A cell holds one character with what combines
// with it.
#pragma once
#include <wchar.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

class Screen {
  public:
    explicit Screen(size_t columns) : columns_(columns) {}

    void set_columns(size_t columns) { columns_ = columns; }

    // Bytes may end anywhere within a character or a sequence.
    void feed(std::string_view bytes) {
        pending_ += bytes;
        size_t used;
        while (!pending_.empty() && (used = step()) > 0) pending_.erase(0, used);
    }

    // Without blanks at its end.
    std::string row(size_t index) const {
        std::string text;
        if (index < rows_.size()) {
            for (const std::string& cell : rows_[index]) text += cell;
        }
        while (text.ends_with(' ')) text.pop_back();
        return text;
    }
    std::string all() const {
        std::string text;
        for (size_t i = 0; i < rows_.size(); ++i) text += row(i) + "\n";
        return text;
    }
    size_t cursor_row() const { return row_; }
    size_t cursor_column() const { return column_; }

  private:
    static size_t size_of(unsigned char first) {
        return first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
    }

    // Does one thing; the bytes it took, 0 when they are not all there yet.
    size_t step() {
        char c = pending_[0];
        if (c == '\x1b') return sequence();
        if (c == '\r') column_ = 0;
        if (c == '\n') ++row_;
        if (c == '\b' && column_ > 0) --column_;
        if (static_cast<unsigned char>(c) < 0x20) return 1;
        size_t size = size_of(static_cast<unsigned char>(c));
        if (pending_.size() < size) return 0;
        put(pending_.substr(0, size));
        return size;
    }

    void put(const std::string& character) {
        wchar_t code = 0;
        mbstate_t state{};
        mbrtowc(&code, character.data(), character.size(), &state);
        auto width = static_cast<size_t>(std::max(wcwidth(code), 0));
        if (width == 0 && column_ > 0) {
            cell(row_, column_ - 1) += character;
            return;
        }
        if (column_ + width > columns_) {
            ++row_;
            column_ = 0;
        }
        cell(row_, column_) = character;
        for (size_t i = 1; i < width; ++i) cell(row_, column_ + i) = "";
        column_ += width;
    }

    std::string& cell(size_t row, size_t column) {
        if (rows_.size() <= row) rows_.resize(row + 1);
        if (rows_[row].size() <= column) rows_[row].resize(column + 1, " ");
        return rows_[row][column];
    }

    size_t sequence() {
        size_t end = 2;
        while (end < pending_.size() && pending_[end] < 0x40) ++end;
        if (end >= pending_.size()) return 0;
        size_t count = std::max(1, atoi(pending_.c_str() + 2));
        switch (pending_[end]) {
            case 'A': row_ -= std::min(row_, count); break;
            case 'C': column_ = std::min(column_ + count, columns_ - 1); break;
            case 'H': row_ = column_ = 0; break;
            case 'J':
                if (pending_[2] == '2') rows_.clear();
                if (rows_.size() > row_ + 1) rows_.resize(row_ + 1);
                if (row_ < rows_.size() && rows_[row_].size() > column_)
                    rows_[row_].resize(column_);
                break;
        }
        return end + 1;
    }

    size_t columns_;
    std::vector<std::vector<std::string>> rows_;
    size_t row_ = 0, column_ = 0;
    std::string pending_;
};
