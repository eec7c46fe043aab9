// mello-sh: the login shell of MelloOS. shell.h is the map of its files.
//
//   mello-sh [-efnux] [-i] [-l] [FILE [ARGUMENT...]]
//   mello-sh ... -c TEXT [NAME [ARGUMENT...]]
//
// Without FILE and -c it reads standard input, interactively when that is a terminal (or
// with -i). A login shell (-l, or a name that starts with -) reads /etc/profile and
// ~/.profile.
#include <unistd.h>

#include "user/sh/builtins.h"
#include "user/sh/execute.h"
#include "user/sh/jobs.h"
#include "user/sh/signals.h"
#include "user/sh/source.h"
#include "user/sh/variables.h"

namespace {

struct Arguments {
    bool login = false, interactive = false, has_command = false, has_script = false;
    std::string command;
};

// The rest becomes $0 and on. Ends the process when there is an option that we do not
// know.
Arguments parse_arguments(int count, char** values) {
    Arguments arguments;
    arguments.login = count > 0 && values[0][0] == '-';
    int i = 1;
    Strings set = {"set"};
    for (; i < count && values[i][0] == '-' && values[i][1]; ++i) {
        std::string_view word = values[i];
        if (word == "--") {
            ++i;
            break;
        }
        for (char letter : word.substr(1)) {
            switch (letter) {
                case 'c': arguments.has_command = true; break;
                case 'i': arguments.interactive = true; break;
                case 'l': arguments.login = true; break;
                case 's': break;
                default: set.push_back(std::string("-") + letter);
            }
        }
    }
    if (set.size() > 1 && find_builtin("set")->run(set) != 0) _exit(2);
    if (arguments.has_command) {
        if (i == count) {
            complain({"-c: which command?"});
            _exit(2);
        }
        arguments.command = values[i++];
    }
    arguments.has_script = !arguments.has_command && i < count;
    if (i < count) shell.name = values[i++];
    shell.arguments.assign(values + i, values + count);
    return arguments;
}

void read_profile(const std::string& path) {
    std::string text;
    if (!read_file(path, text)) return;
    ++shell.functions;
    run_text(text);
    --shell.functions;
    if (shell.flow == Flow::Return) shell.flow = Flow::Normal;
}

}  // namespace

int main(int count, char** values, char** environment) {
    shell.pid = getpid();
    if (count > 0) shell.name = values[0];
    Arguments arguments = parse_arguments(count, values);
    bool from_input = !arguments.has_command && !arguments.has_script;
    import_environment(environment);
    set_variable("IFS", " \t\n");
    set_variable("OPTIND", "1");
    find_folder();
    shell.interactive = arguments.interactive || (from_input && isatty(0) && isatty(2));
    shell.at_terminal = shell.interactive;
    if (shell.interactive) start_job_control();
    if (arguments.login) {
        read_profile("/etc/profile");
        if (!value_of("HOME").empty())
            read_profile(std::string(value_of("HOME")) + "/.profile");
    }
    if (shell.flow != Flow::Normal) leave(shell.status);
    if (arguments.has_command) {
        run_text(arguments.command, true);
    } else if (arguments.has_script) {
        run_script(shell.name);
    } else if (shell.interactive) {
        run_terminal();
    } else {
        run_standard_input();
    }
    leave(shell.status);
}
