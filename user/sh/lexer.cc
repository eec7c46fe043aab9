#include "user/sh/lexer.h"

#include "user/sh/parser.h"
#include "user/sh/shell.h"

namespace {

// The longer ones first.
constexpr std::string_view kOperators[] = {"<<-", "&&", "||", ";;", "<<", ">>",
                                           "<&",  ">&", "<>", ">|", "&",  "|",
                                           ";",   "<",  ">",  "(",  ")"};

void add_text(Word& word, std::string_view text, bool quoted) {
    if (word.empty() || word.back().kind != Part::Kind::Text ||
        word.back().quoted != quoted) {
        word.emplace_back();
        word.back().quoted = quoted;
    }
    word.back().text += text;
}

void add_char(Word& word, char c, bool quoted) { add_text(word, {&c, 1}, quoted); }

bool is_special(char c) { return contains("@*#?-$!", c); }

}  // namespace

std::string_view Token::plain() const {
    bool simple = kind == Kind::Word && word.size() == 1 &&
                  word[0].kind == Part::Kind::Text && !word[0].quoted;
    return simple ? std::string_view(word[0].text) : std::string_view();
}

void Lexer::fail(std::string_view message) {
    if (failed_) return;
    failed_ = true;
    message_ = message;
    token_ = Token();
    token_.line = line_;
    have_token_ = true;
}

void Lexer::fail_incomplete() {
    if (failed_) return;
    incomplete_ = true;
    fail("unexpected end of input");
}

const Token& Lexer::peek() {
    if (!have_token_ && !failed_) read_token();
    return token_;
}

Token Lexer::take() {
    Token token = peek();
    if (!failed_) have_token_ = false;
    return token;
}

void Lexer::skip_blanks() {
    for (;;) {
        if (look() == ' ' || look() == '\t') {
            ++at_;
        } else if (look() == '\\' && look(1) == '\n') {
            at_ += 2;
            ++line_;
            if (at_end() && !final_) fail_incomplete();
        } else if (look() == '#') {
            while (!at_end() && look() != '\n') ++at_;
        } else {
            return;
        }
    }
}

void Lexer::read_token() {
    skip_blanks();
    if (failed_) return;
    Token token;
    token.begin = at_;
    token.line = line_;
    size_t digits = 0;
    while (is_digit(look(digits))) ++digits;
    if (at_end()) {
        if (!pending_.empty() && !final_) fail_incomplete();
    } else if (look() == '\n') {
        token.kind = Token::Kind::Newline;
        ++at_;
        ++line_;
        read_here_documents();
    } else if (digits > 0 && (look(digits) == '<' || look(digits) == '>')) {
        token.kind = Token::Kind::Number;
        token.text = text_.substr(at_, digits);
        at_ += digits;
    } else {
        token.kind = Token::Kind::Word;
        for (std::string_view operation : kOperators) {
            if (!text_.substr(at_).starts_with(operation)) continue;
            token.kind = Token::Kind::Operator;
            token.text = operation;
            at_ += operation.size();
            break;
        }
        if (token.kind == Token::Kind::Word) token.word = scan(Mode::Bare);
    }
    token.end = at_;
    if (failed_) return;
    token_ = static_cast<Token&&>(token);
    have_token_ = true;
}

bool Lexer::stops(Mode mode, int depth) const {
    switch (mode) {
        case Mode::Bare: return contains("|&;<>() \t\n", look());
        case Mode::Double: return look() == '"';
        case Mode::Operand:
        case Mode::QuotedOperand: return look() == '}';
        case Mode::Arithmetic: return depth == 0 && look() == ')' && look(1) == ')';
        case Mode::Here: return false;
    }
    return true;
}

// The parts up to what ends a word of this kind, which stays unread.
Word Lexer::scan(Mode mode) {
    Word word;
    bool bare = mode == Mode::Bare || mode == Mode::Operand;
    int depth = 0;  // of parentheses, in arithmetic
    while (!failed_) {
        if (at_end()) {
            if (mode != Mode::Bare && mode != Mode::Here) fail_incomplete();
            break;
        }
        if (stops(mode, depth)) break;
        char c = look();
        if (c == '\\') {
            scan_backslash(word, mode);
        } else if (c == '$') {
            scan_dollar(word, !bare);
        } else if (c == '`') {
            scan_backquotes(word, !bare);
        } else if (c == '\'' && bare) {
            scan_single_quotes(word);
        } else if (c == '"' && (bare || mode == Mode::QuotedOperand)) {
            ++at_;
            Word inner = scan(Mode::Double);
            ++at_;
            if (inner.empty()) add_text(word, "", true);
            for (Part& part : inner) word.push_back(part);
        } else {
            depth += c == '(' ? 1 : c == ')' ? -1 : 0;
            if (c == '\n') ++line_;
            add_char(word, c, !bare);
            ++at_;
        }
    }
    return word;
}

void Lexer::scan_backslash(Word& word, Mode mode) {
    ++at_;
    if (at_end()) {
        if (!final_) return fail_incomplete();
        return add_char(word, '\\', true);
    }
    char c = look();
    ++at_;
    bool escapes = true;
    switch (mode) {
        case Mode::Bare:
        case Mode::Operand: break;
        case Mode::Double:
        case Mode::Arithmetic: escapes = contains("$`\"\\\n", c); break;
        case Mode::QuotedOperand: escapes = contains("$`\"\\\n}", c); break;
        case Mode::Here: escapes = contains("$`\\\n", c); break;
    }
    if (!escapes) add_char(word, '\\', true);
    if (c == '\n') {
        ++line_;
        if (at_end() && !final_) fail_incomplete();
        if (escapes) return;
    }
    add_char(word, c, true);
}

void Lexer::scan_single_quotes(Word& word) {
    size_t end = text_.find('\'', at_ + 1);
    if (end == text_.npos) return fail_incomplete();
    std::string_view inside = text_.substr(at_ + 1, end - at_ - 1);
    for (char c : inside) line_ += c == '\n';
    add_text(word, inside, true);
    at_ = end + 1;
}

void Lexer::scan_dollar(Word& word, bool quoted) {
    Part part;
    part.kind = Part::Kind::Parameter;
    part.quoted = quoted;
    char next = look(1);
    if (next == '(' && look(2) == '(') {
        at_ += 3;
        part.kind = Part::Kind::Arithmetic;
        part.word = scan(Mode::Arithmetic);
        at_ += 2;
    } else if (next == '(') {
        at_ += 2;
        scan_command(part);
    } else if (next == '{') {
        at_ += 2;
        scan_braces(part, quoted);
    } else if (is_digit(next) || (next && is_special(next))) {
        part.text = next;
        at_ += 2;
    } else if (is_name_char(next)) {
        ++at_;
        while (is_name_char(look())) part.text += text_[at_++];
    } else {
        ++at_;
        return add_char(word, '$', quoted);
    }
    word.push_back(part);
}

// ${...} after its brace: ${#name}, or a name and maybe an operation with its operand.
void Lexer::scan_braces(Part& part, bool quoted) {
    if (look() == '#' && look(1) != '}' &&
        (is_name_char(look(1)) || is_special(look(1)))) {
        part.operation = 'l';
        ++at_;
    }
    if (look() && is_special(look())) {
        part.text = text_[at_++];
    } else {
        while (is_name_char(look())) part.text += text_[at_++];
    }
    if (at_end()) return fail_incomplete();
    if (part.operation == 0 && look() != '}') {
        if (look() == ':') {
            part.colon = true;
            ++at_;
        }
        char operation = look();
        if (part.text.empty() || !contains(part.colon ? "-=?+" : "-=?+#%", operation)) {
            return fail("bad substitution ${...}");
        }
        part.operation = operation;
        ++at_;
        bool pattern = operation == '#' || operation == '%';
        if (pattern && look() == operation) {
            part.longest = true;
            ++at_;
        }
        part.word = scan(quoted && !pattern ? Mode::QuotedOperand : Mode::Operand);
    }
    if (failed_) return;
    if (look() != '}' || part.text.empty()) return fail("bad substitution ${...}");
    ++at_;
}

void Lexer::scan_command(Part& part) {
    part.kind = Part::Kind::Command;
    part.command = Parser(*this).list(true);
    if (failed_) return;
    if (peek().is(")")) {
        take();
    } else if (peek().kind == Token::Kind::End) {
        fail_incomplete();
    } else {
        fail("$( without )");
    }
}

void Lexer::scan_backquotes(Word& word, bool quoted) {
    std::string inside;
    int line = line_;
    for (++at_; look() != '`'; ++at_) {
        if (at_end()) return fail_incomplete();
        if (look() == '\n') ++line_;
        if (look() == '\\' && (contains("$`\\", look(1)) || (quoted && look(1) == '"')))
            ++at_;
        inside += look();
    }
    ++at_;
    Lexer lexer(inside, 0, line, true);
    Part part;
    part.kind = Part::Kind::Command;
    part.quoted = quoted;
    part.command = Parser(lexer).list(true);
    if (lexer.failed() || lexer.peek().kind != Token::Kind::End)
        return fail("bad command in `...`");
    word.push_back(part);
}

void Lexer::read_here_documents() {
    std::vector<Shared<HereDocument>> pending;
    pending.swap(pending_);
    for (Shared<HereDocument>& here : pending) {
        std::string body;
        int line = line_;
        for (;;) {
            if (at_end()) {
                if (!final_) return fail_incomplete();
                break;
            }
            size_t end = text_.find('\n', at_);
            bool whole = end != text_.npos;
            std::string_view row = text_.substr(at_, whole ? end - at_ : end);
            at_ = whole ? end + 1 : text_.size();
            ++line_;
            while (here->strip_tabs && row.starts_with('\t')) row.remove_prefix(1);
            if (row == here->delimiter) break;
            body += row;
            if (whole) body += '\n';
        }
        if (here->literal) {
            add_text(here->body, body, true);
        } else {
            Lexer lexer(body, 0, line, true);
            here->body = lexer.scan(Mode::Here);
            if (lexer.failed()) return fail(lexer.message());
        }
    }
}
