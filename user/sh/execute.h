// Runs the syntax tree.
#pragma once
#include <string>
#include <string_view>

#include "user/sh/shell.h"
#include "user/sh/syntax.h"

// Runs a tree (null does nothing) and returns $?. `last`: the process ends with it, so
// that a program may take its place instead of becoming its child.
int run(const Tree& tree, bool last = false);

// A builtin or a program, no function (the builtin `command`).
int run_words(const Strings& words);
// Becomes the program. Returns only to end the process: complains, exits 126 or 127.
[[noreturn]] void become(const Strings& words);
// Ends the process: the trap for EXIT, then _exit.
[[noreturn]] void leave(int status);

// What the command prints, without newlines at its end.
std::string command_output(const Tree& tree);

const Tree* find_function(std::string_view name);
void remove_function(std::string_view name);
// `local`: the variable gets its old value back when the function ends; false outside of
// one.
bool make_local(std::string_view name);
// The file that a command's name stands for by PATH, "" for none. A name with a slash is
// one.
std::string find_program(const std::string& name);
