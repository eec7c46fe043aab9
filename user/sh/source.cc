#include "user/sh/source.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "user/sh/editor.h"
#include "user/sh/execute.h"
#include "user/sh/expand.h"
#include "user/sh/history.h"
#include "user/sh/jobs.h"
#include "user/sh/parser.h"
#include "user/sh/shell.h"
#include "user/sh/signals.h"
#include "user/sh/variables.h"

namespace {

void syntax_error(const Parsed& parsed) {
    shell.line = parsed.line;
    fail(2, {"syntax error: ", parsed.message});
}

// One line from descriptor 0, with its newline. False at the end.
bool next_line(std::string& text) {
    char c;
    size_t before = text.size();
    for (;;) {
        ssize_t got = read(0, &c, 1);
        if (got < 0 && errno == EINTR) {
            run_traps();
            if (shell.flow != Flow::Normal) return false;
            continue;
        }
        if (got <= 0) return text.size() > before;
        text += c;
        if (c == '\n') return true;
    }
}

// The prompt of PS1 or PS2: \w is the folder with ~ for HOME, \$ is # for root.
std::string prompt(std::string_view name, std::string_view otherwise) {
    const Variable* set = find_variable(name);
    std::string_view format = set && set->set ? std::string_view(set->value) : otherwise;
    std::string result;
    for (size_t i = 0; i < format.size(); ++i) {
        char next = i + 1 < format.size() ? format[i + 1] : '\0';
        if (format[i] != '\\' || !contains("w$\\ne", next) || !next) {
            result += format[i];
            continue;
        }
        ++i;
        std::string_view folder = value_of("PWD"), home = value_of("HOME");
        bool inside = home.size() > 1 && folder.starts_with(home) &&
                      (folder.size() == home.size() || folder[home.size()] == '/');
        switch (next) {
            case 'w':
                if (inside) folder.remove_prefix(home.size());
                result += inside ? "~" : "";
                result += folder;
                break;
            case '$': result += geteuid() == 0 ? '#' : '$'; break;
            case 'n': result += '\n'; break;
            case 'e': result += '\x1b'; break;
            case '\\': result += '\\'; break;
        }
    }
    return result;
}

// Asks for a line more at the terminal.
LineEnd ask(std::string& text) {
    if (text.empty()) report_changes();
    std::string line;
    LineEnd end = read_line(
        text.empty() ? prompt("PS1", "mello:\\w\\$ ") : prompt("PS2", "> "), line);
    if (end != LineEnd::Enter) return end;
    add_to_history(line);
    text += line + "\n";
    return end;
}

// Runs lines as they come: `more` appends one to the text, or says why not.
template <typename More>
void run_lines(More more) {
    std::string text;
    int line = 1;
    bool final = false;
    while (shell.flow == Flow::Normal) {
        Parsed parsed = parse_command(text, 0, line, final);
        using Kind = Parsed::Kind;
        if (parsed.kind == Kind::Command || parsed.kind == Kind::Nothing)
            line = parsed.line;
        if (parsed.kind == Kind::Command) {
            text.erase(0, parsed.end);
            run(parsed.tree);
        } else if (parsed.kind == Kind::Error) {
            syntax_error(parsed);
        } else {
            if (parsed.kind == Kind::Nothing) text.clear();
            if (final) break;
            LineEnd end = more(text);
            if (end == LineEnd::Interrupted) {
                text.clear();
                shell.status = 130;
            }
            final = end == LineEnd::End;
            if (final && text.empty()) break;
        }
        if (shell.interrupted) {
            shell.interrupted = 0;
            shell.flow = Flow::Abort;
            shell.status = 130;
            write_all(2, "\n");
        }
        if (shell.flow == Flow::Abort) {  // which happens at a terminal only
            shell.flow = Flow::Normal;
            text.clear();
            final = false;
        }
    }
}

}  // namespace

int run_text(std::string_view text, bool last) {
    size_t at = 0;
    int line = 1;
    while (shell.flow == Flow::Normal) {
        Parsed parsed = parse_command(text, at, line, true);
        if (parsed.kind == Parsed::Kind::Error) {
            syntax_error(parsed);
        } else if (parsed.kind == Parsed::Kind::Nothing) {
            break;
        }
        at = parsed.end;
        line = parsed.line;
        bool final = text.find_first_not_of(" \t\n", at) == text.npos;
        run(parsed.tree, last && final);
    }
    return shell.status;
}

bool read_file(const std::string& path, std::string& text) {
    int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    char buffer[4096];
    ssize_t got;
    while ((got = read(fd, buffer, sizeof buffer)) > 0)
        text.append(buffer, static_cast<size_t>(got));
    int error = errno;
    close(fd);
    errno = error;
    return got == 0;
}

int run_script(const std::string& path) {
    std::string text;
    if (!read_file(path, text)) {
        int status = errno == ENOENT ? 127 : 126;
        complain({"cannot read ", path, ": ", why()});
        return shell.status = status;
    }
    if (contains(std::string_view(text).substr(0, text.find('\n')), '\0')) {
        complain({path, ": not a script, and no program that this machine can run"});
        return shell.status = 126;
    }
    return run_text(text);
}

int run_standard_input() {
    run_lines([](std::string& text) {
        return next_line(text) ? LineEnd::Enter : LineEnd::End;
    });
    return shell.status;
}

int run_terminal() {
    bool warned = false;
    for (;;) {
        run_lines(ask);
        // The end of input, or `exit`. Stopped jobs would be lost: say so, once.
        if (warned || !has_stopped_jobs()) break;
        warned = true;
        shell.flow = Flow::Normal;
        complain({"there are stopped jobs; the next exit leaves them"});
    }
    return shell.status;
}
