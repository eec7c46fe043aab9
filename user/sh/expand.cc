#include "user/sh/expand.h"

#include <fnmatch.h>
#include <glob.h>
#include <pwd.h>

#include "user/sh/arithmetic.h"
#include "user/sh/execute.h"
#include "user/sh/variables.h"

namespace {

constexpr std::string_view kPatternChars = "*?[]\\!-^";

std::string unescape(const std::string& pattern) {
    std::string text;
    for (size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] == '\\' && i + 1 < pattern.size()) ++i;
        text += pattern[i];
    }
    return text;
}

bool has_magic(const std::string& pattern) {
    for (size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] == '\\') {
            ++i;
        } else if (contains("*?[", pattern[i])) {
            return true;
        }
    }
    return false;
}

std::string separators() {
    const Variable* ifs = find_variable("IFS");
    return ifs && ifs->set ? ifs->value : " \t\n";
}

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n'; }

// What `~` or `~name` stands for, at the start of text; moves `at` past it.
std::string tilde(const std::string& text, size_t& at, bool assignment) {
    size_t end = at + 1;
    while (end < text.size() && text[end] != '/' && !(assignment && text[end] == ':'))
        ++end;
    std::string user = text.substr(at + 1, end - at - 1), home;
    if (user.empty()) {
        home = value_of("HOME");
    } else if (const passwd* entry = getpwnam(user.c_str())) {
        home = entry->pw_dir;
    }
    if (home.empty()) home = text.substr(at, end - at);
    at = end;
    return home;
}

enum class Mode : char { Fields, Text, Assignment, Pattern };

// Collects fields. A field is kept as a pattern, in which a backslash stands before every
// character that was quoted and would mean something in a pattern.
class Expander {
  public:
    explicit Expander(Mode mode) : mode_(mode), separators_(separators()) {}

    void add(const Word& word) {
        for (size_t i = 0; i < word.size(); ++i) {
            const Part& part = word[i];
            if (part.kind == Part::Kind::Text && !part.quoted) {
                add_literal(part.text, i == 0, i + 1 == word.size());
            } else {
                add_part(part, false);
            }
            if (shell.flow != Flow::Normal) return;
        }
    }

    // Ends the field at hand, if there is one.
    void end_field() {
        if (open_) fields_.push_back(field_);
        field_.clear();
        open_ = after_blank_ = false;
    }

    Strings take_fields() {
        end_field();
        return static_cast<Strings&&>(fields_);
    }
    const std::string& field() const { return field_; }

  private:
    void put(char c, bool escape) {
        if (escape && contains(kPatternChars, c)) field_ += '\\';
        field_ += c;
        open_ = true;
        after_blank_ = false;
    }

    void add_quoted(std::string_view text) {
        for (char c : text) put(c, true);
        open_ = true;
    }

    // Characters of the script itself: patterns, but never split.
    void add_literal(const std::string& text, bool first, bool last) {
        bool may_be_tilde = first && mode_ != Mode::Pattern;
        for (size_t i = 0; i < text.size();) {
            bool whole = last || text.find('/', i) != text.npos;
            if (text[i] == '~' && may_be_tilde && whole) {
                add_quoted(tilde(text, i, mode_ == Mode::Assignment));
                may_be_tilde = false;
                continue;
            }
            may_be_tilde = mode_ == Mode::Assignment && text[i] == ':';
            put(text[i++], false);
        }
    }

    // The result of an unquoted expansion: split, and its characters may be patterns.
    void add_split(std::string_view text) {
        for (char c : text) {
            if (mode_ != Mode::Fields || !contains(separators_, c)) {
                put(c, c == '\\');
            } else if (is_blank(c)) {
                if (open_) {
                    end_field();
                    after_blank_ = true;
                }
            } else if (after_blank_) {
                after_blank_ = false;  // the blanks and this one are one separator
            } else {
                open_ = true;
                end_field();
            }
        }
    }

    void add_value(std::string_view text, bool quoted) {
        quoted ? add_quoted(text) : add_split(text);
    }

    // `within`: the operand of an unquoted ${x-...}, where literal text is split, too.
    void add_part(const Part& part, bool within) {
        switch (part.kind) {
            case Part::Kind::Text:
                if (within && !part.quoted) return add_split(part.text);
                return add_value(part.text, true);
            case Part::Kind::Command:
                return add_value(command_output(part.command), part.quoted);
            case Part::Kind::Arithmetic: {
                long value;
                if (!evaluate(expand_text(part.word), value)) return;
                return add_value(std::to_string(value), part.quoted);
            }
            case Part::Kind::Parameter: break;
        }
        bool all = part.text == "@" || part.text == "*";
        if (part.operation == 0 && all) return add_arguments(part);
        add_parameter(part, all);
    }

    // $@ and $*.
    void add_arguments(const Part& part) {
        bool join = part.quoted && (part.text == "*" || mode_ != Mode::Fields);
        if (join) open_ = true;
        for (size_t i = 0; i < shell.arguments.size(); ++i) {
            if (i > 0 && join) {
                if (part.text == "@") add_quoted(" ");
                else add_quoted(separators_.substr(0, 1));
            } else if (i > 0 && mode_ == Mode::Fields) {
                end_field();
            } else if (i > 0) {
                add_quoted(" ");
            }
            add_value(shell.arguments[i], part.quoted);
        }
    }

    void add_operand(const Part& part) {
        for (const Part& inner : part.word) add_part(inner, !part.quoted);
    }

    void add_parameter(const Part& part, bool all) {
        std::optional<std::string> value;
        if (!all) {
            value = parameter(part.text);
        } else if (!shell.arguments.empty()) {
            Expander joined(Mode::Text);
            Part plain;
            plain.text = part.text;
            joined.add_arguments(plain);
            value = unescape(joined.field());
        }
        bool missing = !value || (part.colon && value->empty());
        switch (part.operation) {
            case '-':
                if (missing) return add_operand(part);
                break;
            case '+':
                if (!missing) add_operand(part);
                else if (part.quoted) open_ = true;
                return;
            case '=':
                if (!missing) break;
                if (!is_name(part.text)) {
                    return fail(2,
                                {"${", part.text, "=}: only variables can be assigned"});
                }
                value = expand_text(part.word);
                if (shell.flow != Flow::Normal || !set_variable(part.text, *value))
                    return;
                break;
            case '?':
                if (missing) {
                    std::string reason = expand_text(part.word);
                    if (part.word.empty())
                        reason = part.colon ? "not set or null" : "not set";
                    return fail(2, {part.text, ": ", reason});
                }
                break;
        }
        if (!value && shell.no_unset && !all)
            return fail(2, {part.text, ": not set (set -u)"});
        if (!value) value.emplace();
        if (all && part.operation != 'l' && !contains("#%", part.operation)) {
            return add_arguments(part);
        }
        if (part.operation == 'l') value = std::to_string(value->size());
        if (part.operation == '#' || part.operation == '%') {
            value =
                trimmed(*value, expand_pattern(part.word), part.operation, part.longest);
        }
        add_value(*value, part.quoted);
    }

    static std::string trimmed(const std::string& value, const std::string& pattern,
                               char end, bool longest) {
        for (size_t i = 0; i <= value.size(); ++i) {
            size_t length = longest ? value.size() - i : i;
            size_t rest = value.size() - length;
            if (end == '#' && matches(pattern, value.substr(0, length))) {
                return value.substr(length);
            }
            if (end == '%' && matches(pattern, value.substr(rest)))
                return value.substr(0, rest);
        }
        return value;
    }

    Mode mode_;
    std::string separators_;
    Strings fields_;
    std::string field_;
    bool open_ = false;         // field_ is a field, even when it is empty
    bool after_blank_ = false;  // the last field was ended by a blank of IFS
};

}  // namespace

Strings expand_words(const std::vector<Word>& words) {
    Strings result;
    for (const Word& word : words) {
        Expander expander(Mode::Fields);
        expander.add(word);
        if (shell.flow != Flow::Normal) return {};
        for (const std::string& pattern : expander.take_fields()) {
            Strings names;
            if (!shell.no_globbing && has_magic(pattern)) names = file_names(pattern);
            if (names.empty()) names.push_back(unescape(pattern));
            for (std::string& name : names) result.push_back(name);
        }
    }
    return result;
}

std::string expand_text(const Word& word, bool assignment) {
    Expander expander(assignment ? Mode::Assignment : Mode::Text);
    expander.add(word);
    return unescape(expander.field());
}

std::string expand_pattern(const Word& word) {
    Expander expander(Mode::Pattern);
    expander.add(word);
    return expander.field();
}

bool matches(const std::string& pattern, const std::string& text) {
    return fnmatch(pattern.c_str(), text.c_str(), 0) == 0;
}

Strings file_names(const std::string& pattern) {
    glob_t found;
    Strings names;
    if (glob(pattern.c_str(), 0, nullptr, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; ++i) names.push_back(found.gl_pathv[i]);
    }
    globfree(&found);
    return names;
}

Strings split_line(const std::string& text, const std::vector<bool>& escaped,
                   size_t limit) {
    std::string ifs = separators();
    auto separates = [&](size_t i) { return !escaped[i] && contains(ifs, text[i]); };
    auto blank = [&](size_t i) { return separates(i) && is_blank(text[i]); };
    Strings fields;
    size_t at = 0, end = text.size();
    while (at < end && blank(at)) ++at;
    while (end > at && blank(end - 1)) --end;
    while (at < end && fields.size() + 1 < limit) {
        size_t start = at;
        while (at < end && !separates(at)) ++at;
        fields.push_back(text.substr(start, at - start));
        while (at < end && blank(at)) ++at;
        if (at < end && separates(at)) {
            ++at;
            while (at < end && blank(at)) ++at;
        }
    }
    if (at < end) {
        // One field and its separator are that field; more are kept as they are.
        size_t stop = at;
        while (stop < end && !separates(stop)) ++stop;
        if (stop + 1 == end) end = stop;
        fields.push_back(text.substr(at, end - at));
    }
    return fields;
}
