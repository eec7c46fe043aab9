// The state that every part of mello-sh looks at, and how it speaks to people.
//
// mello-sh is a POSIX shell, small enough to be read in one evening. A command takes this
// way:
//
//   main.cc     opens a source of text (script, -c, stdin, terminal) and asks for more
//   editor.cc   a line from the terminal, with history.cc and complete.cc
//   lexer.cc    text into words and operators; a word keeps its quotes and $... as parts
//   parser.cc   words into the tree of syntax.h
//   execute.cc  walks the tree: forks, pipes, redirect.cc, builtins.cc, functions
//   expand.cc   words into fields: parameters, $(...), arithmetic.cc, file names
//   jobs.cc     processes in groups, who owns the terminal, what has stopped or ended
//
// It starts fast (the shell_startup figure): before the first prompt it makes about
// twenty system calls, reads no file unless it is a login shell, and uses neither stdio
// nor locales.
#pragma once
#include <sys/types.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

using Strings = std::vector<std::string>;

// Why commands are being left at the moment. Whoever runs one command after the other
// stops when this is not Normal; loops, functions and the top level put it back.
enum class Flow : char {
    Normal,
    Break,     // out of `levels` loops
    Continue,  // the same, and on with the last of them
    Return,    // out of a function or a file read with `.`
    Exit,      // out of the shell, with `status`
    Abort,     // back to the prompt: an error or Ctrl-C in an interactive shell
};

struct Shell {
    std::string name = "mello-sh";  // $0
    Strings arguments;              // $1 and on
    int status = 0;                 // $?
    pid_t pid = 0;                  // $$: of the shell, in its subshells, too
    pid_t background = 0;           // $!
    int line = 0;                   // of the simple command that runs, in a script

    bool at_terminal = false;    // commands are typed: no line numbers in messages
    bool interactive = false;    // the same, and this is no subshell
    bool exit_on_error = false;  // set -e
    bool no_globbing = false;    // set -f
    bool monitor = false;        // set -m: job control
    bool no_execution = false;   // set -n
    bool no_unset = false;       // set -u
    bool trace = false;          // set -x

    Flow flow = Flow::Normal;
    int levels = 0;      // of Break and Continue
    int loops = 0;       // that we are in
    int functions = 0;   // that we are in, and files read with `.`
    int conditions = 0;  // whose failure is an answer, not an error (set -e)

    volatile int interrupted = 0;  // set by the handler of SIGINT
};
extern Shell shell;

// Writes all of it; false with errno when it cannot.
bool write_all(int fd, std::string_view text);
// For builtins: standard output. Complains and returns 1 when it cannot be written, else
// 0.
int print(std::string_view text);
// One line on standard error: who, where, and the parts together.
void complain(std::initializer_list<std::string_view> parts);
// Complains, sets $? and leaves what runs: a script ends, a terminal gets its prompt
// back.
void fail(int status, std::initializer_list<std::string_view> parts);
// strerror(errno)
std::string_view why();

// A whole decimal number, else false.
bool parse_number(std::string_view text, long& number);
// A name as variables have it: letters, digits, underscores, no digit first.
bool is_name(std::string_view text);
inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_name_char(char c) {
    return c == '_' || is_digit(c) || ((c | 32) >= 'a' && (c | 32) <= 'z');
}
inline bool contains(std::string_view text, char c) { return text.find(c) != text.npos; }
// In single quotes where the shell would need them to read it back.
std::string quoted(std::string_view text);
