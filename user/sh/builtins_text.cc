// echo, printf, read.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <utility>

#include "user/sh/builtins.h"
#include "user/sh/expand.h"
#include "user/sh/signals.h"
#include "user/sh/variables.h"

namespace {

// The escape after a backslash at `at`, which moves past it. False for \c: print no more.
bool add_escape(std::string& out, std::string_view text, size_t& at, bool leading_zero) {
    constexpr std::string_view kLetters = "abefnrtv\\",
                               kMeanings = "\a\b\x1b\f\n\r\t\v\\";
    char c = at < text.size() ? text[at] : '\\';
    if (c == 'c') return false;
    if (c >= '0' && c <= '7') {
        size_t digits = leading_zero && c == '0' ? 4 : 3;
        int value = 0;
        while (digits-- > 0 && at < text.size() && text[at] >= '0' && text[at] <= '7') {
            value = value * 8 + (text[at++] - '0');
        }
        out += static_cast<char>(value);
        return true;
    }
    size_t index = kLetters.find(c);
    if (index != kLetters.npos) {
        out += kMeanings[index];
    } else {
        out += '\\';
        if (at < text.size()) out += c;
    }
    if (at < text.size()) ++at;
    return true;
}

// Text with escapes (echo -e, %b). False after \c.
bool add_escaped(std::string& out, std::string_view text) {
    for (size_t at = 0; at < text.size();) {
        char c = text[at++];
        if (c != '\\') {
            out += c;
        } else if (!add_escape(out, text, at, true)) {
            return false;
        }
    }
    return true;
}

// printf(1): the format is used again as long as there are arguments.
class Printf {
  public:
    explicit Printf(const Strings& words) : words_(words) {}

    int run() {
        do {
            size_t before = next_;
            if (!once(words_[1]) || next_ == before) break;
        } while (next_ < words_.size());
        return print(out_) | status_;
    }

  private:
    std::string argument() { return next_ < words_.size() ? words_[next_++] : ""; }

    // 'c is the character's number. What is no number counts as far as it is one.
    long number() {
        std::string text = argument();
        if (text.starts_with('\'') || text.starts_with('"')) {
            return text.size() > 1 ? static_cast<unsigned char>(text[1]) : 0;
        }
        char* end;
        errno = 0;
        long value = text.starts_with('-')
                         ? strtol(text.c_str(), &end, 0)
                         : static_cast<long>(strtoul(text.c_str(), &end, 0));
        if (*end || errno) {
            complain({"printf: ", text, ": not a number"});
            status_ = 1;
        }
        return value;
    }

    bool once(std::string_view format) {
        for (size_t at = 0; at < format.size();) {
            char c = format[at++];
            if (c == '\\') {
                if (!add_escape(out_, format, at, false)) return false;
            } else if (c != '%') {
                out_ += c;
            } else if (format.substr(at).starts_with('%')) {
                out_ += '%';
                ++at;
            } else if (!conversion(format, at)) {
                return false;
            }
        }
        return true;
    }

    bool conversion(std::string_view format, size_t& at) {
        std::string spec = "%";
        while (at < format.size() && contains("-+ #0123456789.*", format[at])) {
            if (format[at] == '*') {
                spec += std::to_string(number());
            } else {
                spec += format[at];
            }
            ++at;
        }
        char kind = at < format.size() ? format[at++] : '\0';
        std::string text;
        switch (kind) {
            case 'd':
            case 'i':
            case 'o':
            case 'u':
            case 'x':
            case 'X': add(spec + 'l' + kind, number()); return true;
            case 'c': add(spec + 's', argument().substr(0, 1).c_str()); return true;
            case 's': add(spec + 's', argument().c_str()); return true;
            case 'b': {
                bool more = add_escaped(text, argument());
                add(spec + 's', text.c_str());
                return more;
            }
        }
        complain({"printf: ", spec, {&kind, kind ? 1u : 0u}, ": no such conversion"});
        status_ = 1;
        return false;
    }

    template <typename Value>
    void add(const std::string& spec, Value value) {
        int length = snprintf(nullptr, 0, spec.c_str(), value);
        if (length < 0) return;
        std::string text(static_cast<size_t>(length) + 1, '\0');
        snprintf(text.data(), text.size(), spec.c_str(), value);
        out_.append(text, 0, text.size() - 1);
    }

    const Strings& words_;
    size_t next_ = 2;
    std::string out_;
    int status_ = 0;
};

}  // namespace

int run_echo(const Strings& words) {
    size_t first = 1;
    bool newline = true, escapes = false;
    for (; first < words.size(); ++first) {
        const std::string& word = words[first];
        if (word.size() < 2 || word[0] != '-' ||
            word.find_first_not_of("neE", 1) != word.npos)
            break;
        newline &= !contains(word, 'n');
        escapes |= contains(word, 'e');
    }
    std::string out;
    for (size_t i = first; i < words.size(); ++i) {
        if (i > first) out += ' ';
        if (!escapes) {
            out += words[i];
        } else if (!add_escaped(out, words[i])) {
            return print(out);
        }
    }
    if (newline) out += '\n';
    return print(out);
}

int run_printf(const Strings& words) {
    if (words.size() < 2) {
        complain({"printf: no format"});
        return 2;
    }
    return Printf(words).run();
}

// In an interactive shell: until there is input or Ctrl-C, which may come at any moment.
static void await_input() {
    sigset_t interrupt, before;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    sigprocmask(SIG_BLOCK, &interrupt, &before);
    pollfd input{0, POLLIN, 0};
    if (!shell.interrupted) ppoll(&input, 1, nullptr, &before);
    sigprocmask(SIG_SETMASK, &before, nullptr);
}

int run_read(const Strings& words) {
    bool raw = false;
    size_t first = 1;
    for (; first < words.size() && words[first].starts_with('-'); ++first) {
        if (words[first] == "-r") {
            raw = true;
        } else if (words[first] == "-p" && first + 1 < words.size()) {
            write_all(2, words[++first]);
        } else {
            complain({"read: ", words[first], ": no such option"});
            return 2;
        }
    }
    std::string line;
    std::vector<bool> escaped;
    bool backslash = false, ended = false;
    char c;
    for (;;) {
        if (shell.interactive) await_input();
        if (shell.interrupted) return 130;
        ssize_t got = read(0, &c, 1);
        if (got < 0 && errno == EINTR && !trap_is_pending()) continue;
        if (got < 0 && errno == EINTR) return 130;
        if (got <= 0) break;
        if (c == '\0') continue;
        bool quoted_now = std::exchange(backslash, false);
        if (quoted_now) {
            if (c == '\n') continue;
        } else if (c == '\\' && !raw) {
            backslash = true;
            continue;
        } else if (c == '\n') {
            ended = true;
            break;
        }
        escaped.push_back(quoted_now);
        line += c;
    }
    std::vector<std::string> names(words.begin() + static_cast<ptrdiff_t>(first),
                                   words.end());
    if (names.empty()) names.push_back("REPLY");
    Strings fields = split_line(line, escaped, names.size());
    fields.resize(names.size());
    for (size_t i = 0; i < names.size(); ++i) {
        if (!is_name(names[i])) {
            complain({"read: ", names[i], ": not a name"});
            return 2;
        }
        if (!set_variable(names[i], fields[i])) return 1;
    }
    return ended ? 0 : 1;
}
