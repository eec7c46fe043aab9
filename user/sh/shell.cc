#include "user/sh/shell.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

Shell shell;

bool write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        ssize_t written = write(fd, text.data(), text.size());
        if (written >= 0) {
            text.remove_prefix(static_cast<size_t>(written));
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

int print(std::string_view text) {
    if (write_all(1, text)) return 0;
    complain({"cannot write: ", why()});
    return 1;
}

void complain(std::initializer_list<std::string_view> parts) {
    std::string text = shell.name.substr(shell.name.starts_with('-')) + ": ";
    if (!shell.at_terminal && shell.line > 0) {
        text += "line " + std::to_string(shell.line) + ": ";
    }
    for (std::string_view part : parts) text += part;
    write_all(2, text + "\n");
}

void fail(int status, std::initializer_list<std::string_view> parts) {
    complain(parts);
    shell.status = status;
    shell.flow = shell.interactive ? Flow::Abort : Flow::Exit;
}

std::string_view why() { return strerror(errno); }

bool parse_number(std::string_view text, long& number) {
    bool negative = !text.empty() && text[0] == '-';
    if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
    if (text.empty()) return false;
    long value = 0;
    for (char c : text) {
        if (!is_digit(c) || __builtin_mul_overflow(value, 10L, &value) ||
            __builtin_add_overflow(value, c - '0', &value)) {
            return false;
        }
    }
    number = negative ? -value : value;
    return true;
}

bool is_name(std::string_view text) {
    if (text.empty() || is_digit(text[0])) return false;
    for (char c : text) {
        if (!is_name_char(c)) return false;
    }
    return true;
}

std::string quoted(std::string_view text) {
    std::string result = "'";
    for (char c : text) {
        if (c == '\'') {
            result += "'\\''";
        } else {
            result += c;
        }
    }
    return result + "'";
}
