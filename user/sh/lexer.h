// Text into tokens. The lexer is asked for one token at a time; inside a word it calls
// the parser back for $(...), whose end only a parser can find.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "user/sh/syntax.h"

struct Token {
    enum class Kind : char { Word, Operator, Number, Newline, End };
    Kind kind = Kind::End;
    std::string text;  // Operator: itself. Number: the digits before < or >
    Word word;
    size_t begin = 0, end = 0;  // in the text
    int line = 0;

    bool is(std::string_view operation) const {
        return kind == Kind::Operator && text == operation;
    }
    // The characters of a word without quotes and replacements (a keyword, a name), else
    // "".
    std::string_view plain() const;
};

class Lexer {
  public:
    // `final`: no more text can come, so the end of it ends a here-document.
    Lexer(std::string_view text, size_t at, int line, bool final)
        : text_(text), at_(at), line_(line), final_(final) {}

    const Token& peek();
    // The token that peek showed; the one after it is next.
    Token take();
    // Its body follows the next newline.
    void expect_here_document(const Shared<HereDocument>& here) {
        pending_.push_back(here);
    }

    // The first failure stays; from then on every token is End.
    void fail(std::string_view message);
    void fail_incomplete();
    bool failed() const { return failed_; }
    bool incomplete() const { return incomplete_; }
    const std::string& message() const { return message_; }

    std::string_view text() const { return text_; }
    size_t position() const { return at_; }
    int line() const { return line_; }

  private:
    enum class Mode : char { Bare, Double, Operand, QuotedOperand, Here, Arithmetic };

    char look(size_t ahead = 0) const {
        return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
    }
    bool at_end() const { return at_ >= text_.size(); }
    void skip_blanks();
    void read_token();
    Word scan(Mode mode);
    bool stops(Mode mode, int depth) const;
    void scan_backslash(Word& word, Mode mode);
    void scan_single_quotes(Word& word);
    void scan_dollar(Word& word, bool quoted);
    void scan_braces(Part& part, bool quoted);
    void scan_command(Part& part);
    void scan_backquotes(Word& word, bool quoted);
    void read_here_documents();

    std::string_view text_;
    size_t at_;
    int line_;
    bool final_;
    bool have_token_ = false, failed_ = false, incomplete_ = false;
    Token token_;
    std::string message_;
    std::vector<Shared<HereDocument>> pending_;
};
