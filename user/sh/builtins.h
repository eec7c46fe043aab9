// Commands that the shell runs itself. Each gets its words, name first, and returns $?.
#pragma once
#include <span>
#include <string_view>

#include "user/sh/shell.h"

struct Builtin {
    std::string_view name;
    // POSIX's special ones: found before functions, assignments before them stay, and a
    // redirection that fails ends a script.
    bool special;
    int (*run)(const Strings& words);
};

const Builtin* find_builtin(std::string_view name);
std::span<const Builtin> all_builtins();

// In files of their own:
int run_test(const Strings& words);  // test.cc
int run_echo(const Strings& words);  // builtins_text.cc
int run_printf(const Strings& words);
int run_read(const Strings& words);
int run_getopts(const Strings& words);  // getopts.cc
int run_jobs(const Strings& words);     // builtins_jobs.cc
int run_fg(const Strings& words);
int run_bg(const Strings& words);
int run_wait(const Strings& words);
int run_kill(const Strings& words);
int run_cd(const Strings& words);  // builtins_folder.cc
int run_pwd(const Strings& words);
// PWD at the start: from the environment when it is right, else from the system.
void find_folder();
