#include "user/sh/arithmetic.h"

#include <stdlib.h>

#include <string>

#include "user/sh/shell.h"
#include "user/sh/variables.h"

namespace {

struct Operator {
    std::string_view text;
    int precedence;
};
// The longer ones first.
constexpr Operator kBinary[] = {{"<<", 8}, {">>", 8}, {"<=", 7}, {">=", 7}, {"==", 6},
                                {"!=", 6}, {"&&", 2}, {"||", 1}, {"*", 10}, {"/", 10},
                                {"%", 10}, {"+", 9},  {"-", 9},  {"<", 7},  {">", 7},
                                {"&", 5},  {"^", 4},  {"|", 3}};
constexpr std::string_view kAssignments[] = {
    "<<=", ">>=", "+=", "-=", "*=", "/=", "%=", "&=", "^=", "|="};

// Precedence climbing. What is not evaluated (the other side of && || ?:) is parsed with
// `active_` off: it neither divides by zero nor assigns.
class Expression {
  public:
    explicit Expression(std::string_view text) : text_(text) {}

    bool run(long& value) {
        skip();
        value = text_.empty() ? 0 : ternary();
        skip();
        if (!text_.empty()) error("unexpected", text_);
        return !failed_;
    }

  private:
    void skip() {
        while (!text_.empty() && contains(" \t\n", text_[0])) text_.remove_prefix(1);
    }
    bool take(std::string_view token) {
        skip();
        if (!text_.starts_with(token)) return false;
        text_.remove_prefix(token.size());
        return true;
    }
    void error(std::string_view what, std::string_view where) {
        if (!failed_) fail(2, {"arithmetic: ", what, " `", where, "`"});
        failed_ = true;
        text_ = {};
    }

    long ternary() {
        long condition = binary(1);
        if (!take("?")) return condition;
        bool active = active_;
        active_ = active && condition;
        long yes = ternary();
        if (!take(":")) error("missing : before", text_);
        active_ = active && !condition;
        long no = ternary();
        active_ = active;
        return condition ? yes : no;
    }

    // Operators of at least this precedence.
    long binary(int lowest) {
        long left = unary();
        for (;;) {
            skip();
            const Operator* found = nullptr;
            for (const Operator& candidate : kBinary) {
                if (text_.starts_with(candidate.text)) {
                    found = &candidate;
                    break;
                }
            }
            if (!found || found->precedence < lowest) return left;
            text_.remove_prefix(found->text.size());
            bool active = active_;
            if ((found->text == "&&" && !left) || (found->text == "||" && left))
                active_ = false;
            long right = binary(found->precedence + 1);
            active_ = active;
            left = apply(found->text, left, right);
        }
    }

    long apply(std::string_view operation, long left, long right) {
        auto a = static_cast<unsigned long>(left), b = static_cast<unsigned long>(right);
        if (operation == "&&") return left && right;
        if (operation == "||") return left || right;
        if (operation == "==") return left == right;
        if (operation == "!=") return left != right;
        if (operation == "<=") return left <= right;
        if (operation == ">=") return left >= right;
        switch (operation[0]) {
            case '+': return static_cast<long>(a + b);
            case '-': return static_cast<long>(a - b);
            case '*': return static_cast<long>(a * b);
            case '&': return left & right;
            case '|': return left | right;
            case '^': return left ^ right;
            case '<':
                return operation == "<<" ? static_cast<long>(a << (b & 63))
                                         : left < right;
            case '>': return operation == ">>" ? left >> (b & 63) : left > right;
        }
        if (!active_) return 0;
        if (right == 0) {
            error("division by zero", operation);
            return 0;
        }
        if (right == -1) return operation == "/" ? static_cast<long>(-a) : 0;
        return operation == "/" ? left / right : left % right;
    }

    long unary() {
        if (take("+")) return unary();
        if (take("-")) return static_cast<long>(-static_cast<unsigned long>(unary()));
        if (take("!")) return !unary();
        if (take("~")) return ~unary();
        if (take("(")) {
            long value = ternary();
            if (!take(")")) error("missing ) before", text_);
            return value;
        }
        if (!text_.empty() && is_digit(text_[0])) return number();
        size_t length = 0;
        while (length < text_.size() && is_name_char(text_[length])) ++length;
        if (length == 0) {
            error("expected a number before", text_);
            return 0;
        }
        std::string name(text_.substr(0, length));
        text_.remove_prefix(length);
        return variable_or_assignment(name);
    }

    long number() {
        std::string digits;
        while (digits.size() < text_.size() && is_name_char(text_[digits.size()])) {
            digits += text_[digits.size()];
        }
        char* end;
        long value = strtol(digits.c_str(), &end, 0);
        if (*end) error("bad number", digits);
        if (!failed_) text_.remove_prefix(digits.size());
        return value;
    }

    long variable_or_assignment(const std::string& name) {
        skip();
        std::string_view operation;
        for (std::string_view candidate : kAssignments) {
            if (text_.starts_with(candidate)) operation = candidate;
        }
        bool plain = text_.starts_with("=") && !text_.starts_with("==");
        if (!plain && operation.empty()) return value(name);
        text_.remove_prefix(plain ? 1 : operation.size());
        long right = ternary();
        if (!plain) {
            right = apply(operation.substr(0, operation.size() - 1), value(name), right);
        }
        if (active_ && !failed_) failed_ = !set_variable(name, std::to_string(right));
        return right;
    }

    // A variable's text is a number in any base, or nothing.
    long value(const std::string& name) {
        std::optional<std::string> text = parameter(name);
        if (!text) {
            if (shell.no_unset && active_) error("not set:", name);
            return 0;
        }
        char* end;
        long result = strtol(text->c_str(), &end, 0);
        while (contains(" \t\n", *end) && *end) ++end;
        if (*end && active_) error("not a number:", *text);
        return result;
    }

    std::string_view text_;
    bool active_ = true, failed_ = false;
};

}  // namespace

bool evaluate(std::string_view expression, long& value) {
    return Expression(expression).run(value);
}
