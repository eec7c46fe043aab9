// The builtins that work on the shell itself, and the table of all.
#include "user/sh/builtins.h"

#include <sys/stat.h>
#include <sys/times.h>
#include <unistd.h>

#include "user/sh/execute.h"
#include "user/sh/jobs.h"
#include "user/sh/signals.h"
#include "user/sh/source.h"
#include "user/sh/variables.h"

namespace {

int run_true(const Strings&) { return 0; }
int run_false(const Strings&) { return 1; }

// The number that a builtin may have as its one argument; false after a complaint.
bool count_argument(const Strings& words, long otherwise, long& count) {
    count = otherwise;
    if (words.size() < 2 || (parse_number(words[1], count) && count >= 0)) return true;
    fail(2, {words[0], ": ", words[1], ": not a number"});
    return false;
}

int leave_loops(const Strings& words, Flow flow) {
    long levels;
    if (!count_argument(words, 1, levels)) return 2;
    if (levels == 0) {
        fail(2, {words[0], ": out of 0 loops?"});
        return 2;
    }
    if (shell.loops == 0) return 0;
    shell.levels = static_cast<int>(std::min<long>(levels, shell.loops));
    shell.flow = flow;
    return 0;
}
int run_break(const Strings& words) { return leave_loops(words, Flow::Break); }
int run_continue(const Strings& words) { return leave_loops(words, Flow::Continue); }

int leave_with(const Strings& words, Flow flow) {
    long status;
    if (!count_argument(words, shell.status, status)) return 2;
    shell.flow = flow;
    return shell.status = static_cast<int>(status & 255);
}
int run_exit(const Strings& words) { return leave_with(words, Flow::Exit); }
int run_return(const Strings& words) {
    return leave_with(words, shell.functions > 0 ? Flow::Return : Flow::Exit);
}

int run_eval(const Strings& words) {
    std::string text;
    for (size_t i = 1; i < words.size(); ++i) text += (i > 1 ? " " : "") + words[i];
    shell.status = 0;
    return run_text(text);
}

int run_dot(const Strings& words) {
    if (words.size() < 2) {
        fail(2, {".: which file?"});
        return 2;
    }
    std::string path = words[1], text;
    for (std::string_view rest = contains(path, '/') ? "" : value_of("PATH");
         !rest.empty();) {
        size_t colon = rest.find(':');
        std::string candidate = std::string(rest.substr(0, colon)) + "/" + words[1];
        if (access(candidate.c_str(), R_OK) == 0) {
            path = candidate;
            break;
        }
        rest.remove_prefix(colon == rest.npos ? rest.size() : colon + 1);
    }
    if (!read_file(path, text)) {
        fail(2, {".: ", path, ": ", why()});
        return 2;
    }
    shell.status = 0;
    ++shell.functions;
    int status = run_text(text);
    --shell.functions;
    if (shell.flow == Flow::Return) shell.flow = Flow::Normal;
    return status;
}

int run_exec(const Strings& words) {
    if (words.size() > 1) {
        if (shell.interactive && find_program(words[1]).empty()) {
            complain({"exec: ", words[1], ": not found"});
            return 127;
        }
        if (shell.monitor) signals_for_child(true);
        become(Strings(words.begin() + 1, words.end()));
    }
    return 0;
}

// `command name`: no function. `command -v name`: what it is.
int run_command(const Strings& words) {
    if (words.size() < 2) return 0;
    if (words[1] != "-v" && words[1] != "-V")
        return run_words(Strings(words.begin() + 1, words.end()));
    if (words.size() < 3) return 2;
    std::string path;
    if (find_builtin(words[2]) || find_function(words[2])) {
        path = words[2];
    } else {
        path = find_program(words[2]);
        if (access(path.c_str(), X_OK) != 0) return 127;
    }
    return print(path + "\n");
}

int run_type(const Strings& words) {
    int status = 0;
    for (size_t i = 1; i < words.size(); ++i) {
        const Builtin* builtin = find_builtin(words[i]);
        std::string path = find_program(words[i]), text;
        if (builtin && builtin->special) {
            text = " is a special shell builtin";
        } else if (find_function(words[i])) {
            text = " is a shell function";
        } else if (builtin) {
            text = " is a shell builtin";
        } else if (!path.empty() && access(path.c_str(), X_OK) == 0) {
            text = " is " + path;
        } else {
            text = ": not found";
            status = 127;
        }
        print(words[i] + text + "\n");
    }
    return status;
}

// export and readonly: name, name=value, or -p for a list.
int mark(const Strings& words, bool Variable::*attribute) {
    std::string list;
    bool listing = words.size() == 1 || words[1] == "-p";
    if (listing) {
        for (const Variable& each : all_variables()) {
            if (!(each.*attribute)) continue;
            list += words[0] + " " + each.name +
                    (each.set ? "=" + quoted(each.value) : "") + "\n";
        }
        return print(list);
    }
    for (size_t i = 1; i < words.size(); ++i) {
        std::string_view word = words[i];
        size_t equals = word.find('=');
        std::string_view name = word.substr(0, equals);
        if (!is_name(name)) {
            fail(2, {words[0], ": ", name, ": not a name"});
            return 2;
        }
        if (equals != word.npos && !set_variable(name, word.substr(equals + 1))) return 2;
        variable(name).*attribute = true;
    }
    return 0;
}
int run_export(const Strings& words) { return mark(words, &Variable::exported); }
int run_readonly(const Strings& words) { return mark(words, &Variable::readonly); }

int run_local(const Strings& words) {
    for (size_t i = 1; i < words.size(); ++i) {
        std::string_view word = words[i];
        size_t equals = word.find('=');
        std::string_view name = word.substr(0, equals);
        if (!is_name(name) || !make_local(name)) {
            fail(2, {"local: ", name,
                     is_name(name) ? ": not in a function" : ": not a name"});
            return 2;
        }
        if (equals != word.npos && !set_variable(name, word.substr(equals + 1))) return 2;
    }
    return 0;
}

int run_unset(const Strings& words) {
    bool functions = words.size() > 1 && words[1] == "-f";
    for (size_t i = 1 + (functions || (words.size() > 1 && words[1] == "-v"));
         i < words.size(); ++i) {
        if (functions) {
            remove_function(words[i]);
        } else if (!unset_variable(words[i])) {
            return 2;
        }
    }
    return 0;
}

struct Option {
    char letter;
    std::string_view name;
    bool Shell::*member;
};
constexpr Option kOptions[] = {
    {'e', "errexit", &Shell::exit_on_error}, {'f', "noglob", &Shell::no_globbing},
    {'m', "monitor", &Shell::monitor},       {'n', "noexec", &Shell::no_execution},
    {'u', "nounset", &Shell::no_unset},      {'x', "xtrace", &Shell::trace},
};

bool set_option(char letter, std::string_view name, bool on) {
    for (const Option& option : kOptions) {
        if (option.letter != letter && option.name != name) continue;
        shell.*option.member = on;
        return true;
    }
    fail(2, {"set: ", letter ? std::string_view(&letter, 1) : name, ": no such option"});
    return false;
}

int list_options() {
    std::string list;
    for (const Option& option : kOptions) {
        list += std::string(option.name) + (shell.*option.member ? " on\n" : " off\n");
    }
    return print(list);
}

int run_set(const Strings& words) {
    if (words.size() == 1) {
        std::string list;
        for (const Variable& each : all_variables()) {
            if (each.set) list += each.name + "=" + quoted(each.value) + "\n";
        }
        return print(list);
    }
    size_t i = 1;
    bool arguments = false;
    for (; i < words.size() && words[i].size() > 1 && contains("-+", words[i][0]); ++i) {
        bool on = words[i][0] == '-';
        if (words[i] == "--") {
            ++i;
            arguments = true;
            break;
        }
        if (words[i].substr(1) == "o") {
            if (i + 1 == words.size()) return list_options();
            if (!set_option('\0', words[++i], on)) return 2;
            continue;
        }
        for (char letter : words[i].substr(1)) {
            if (!set_option(letter, "", on)) return 2;
        }
    }
    if (arguments || i < words.size()) {
        shell.arguments.assign(words.begin() + static_cast<ptrdiff_t>(i), words.end());
    }
    return 0;
}

int run_shift(const Strings& words) {
    long count;
    if (!count_argument(words, 1, count)) return 2;
    if (static_cast<size_t>(count) > shell.arguments.size()) {
        fail(2,
             {"shift: only ", std::to_string(shell.arguments.size()), " arguments left"});
        return 2;
    }
    shell.arguments.erase(shell.arguments.begin(), shell.arguments.begin() + count);
    return 0;
}

int run_trap(const Strings& words) {
    size_t first = words.size() > 1 && words[1] == "--" ? 2 : 1;
    if (words.size() <= first) return print(list_traps());
    // A number first, or nothing after: back to the default.
    long number;
    bool reset = words[first] == "-" || parse_number(words[first], number) ||
                 words.size() == first + 1;
    const std::string* text = reset ? nullptr : &words[first];
    if (!reset || words[first] == "-") ++first;
    for (size_t i = first; i < words.size(); ++i) {
        int signal = signal_number(words[i]);
        if (signal < 0) {
            complain({"trap: ", words[i], ": no such signal"});
            return 1;
        }
        set_trap(signal, text);
    }
    return 0;
}

int run_umask(const Strings& words) {
    mode_t mask = umask(0);
    umask(mask);
    if (words.size() == 1) {
        std::string text = "0000\n";
        for (int i = 0; i < 3; ++i)
            text[static_cast<size_t>(3 - i)] =
                static_cast<char>('0' + (mask >> (3 * i) & 7));
        return print(text);
    }
    mode_t wanted = 0;
    for (char c : words[1]) {
        if (c < '0' || c > '7' || wanted > 0777) {
            complain({"umask: ", words[1], ": not an octal number"});
            return 2;
        }
        wanted = wanted * 8 + static_cast<mode_t>(c - '0');
    }
    umask(wanted & 0777);
    return 0;
}

int run_times(const Strings&) {
    tms used;
    times(&used);
    long ticks = sysconf(_SC_CLK_TCK);
    auto minutes = [&](clock_t time) {
        std::string hundredths = std::to_string(100 + time * 100 / ticks % 100);
        return std::to_string(time / ticks / 60) + "m" +
               std::to_string(time / ticks % 60) + "." + hundredths.substr(1) + "s";
    };
    return print(minutes(used.tms_utime) + " " + minutes(used.tms_stime) + "\n" +
                 minutes(used.tms_cutime) + " " + minutes(used.tms_cstime) + "\n");
}

constexpr Builtin kBuiltins[] = {
    {".", true, run_dot},
    {":", true, run_true},
    {"[", false, run_test},
    {"bg", false, run_bg},
    {"break", true, run_break},
    {"cd", false, run_cd},
    {"command", false, run_command},
    {"continue", true, run_continue},
    {"echo", false, run_echo},
    {"eval", true, run_eval},
    {"exec", true, run_exec},
    {"exit", true, run_exit},
    {"export", true, run_export},
    {"false", false, run_false},
    {"fg", false, run_fg},
    {"getopts", false, run_getopts},
    {"jobs", false, run_jobs},
    {"kill", false, run_kill},
    {"local", false, run_local},
    {"printf", false, run_printf},
    {"pwd", false, run_pwd},
    {"read", false, run_read},
    {"readonly", true, run_readonly},
    {"return", true, run_return},
    {"set", true, run_set},
    {"shift", true, run_shift},
    {"test", false, run_test},
    {"times", true, run_times},
    {"trap", true, run_trap},
    {"true", false, run_true},
    {"type", false, run_type},
    {"umask", false, run_umask},
    {"unset", true, run_unset},
    {"wait", false, run_wait},
};

}  // namespace

const Builtin* find_builtin(std::string_view name) {
    for (const Builtin& builtin : kBuiltins) {
        if (builtin.name == name) return &builtin;
    }
    return nullptr;
}

std::span<const Builtin> all_builtins() { return kBuiltins; }
