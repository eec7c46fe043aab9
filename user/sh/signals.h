// What the shell does with signals: those of the terminal, traps, and their names.
#pragma once
#include <string>
#include <string_view>

// SIGINT comes back to the prompt; what would stop or end an interactive shell is
// ignored.
void signals_for_terminal();
// In a new child: traps and the shell's own dispositions end; what was ignored stays
// ignored. With a process group of its own (`job`) it can be stopped from the terminal,
// too.
void signals_for_child(bool job);

// 1 for "HUP", "SIGHUP" or "1"; 0 for "EXIT" or "0"; -1 for none.
int signal_number(std::string_view name);
// "HUP"; the number when it has no name.
std::string signal_name(int signal);

// `trap`: the text runs when the signal comes; null: the default; "": the signal is
// ignored.
void set_trap(int signal, const std::string* text);
// The traps as commands that set them.
std::string list_traps();
// Runs the traps of signals that have come; $? is kept.
void run_traps();
bool trap_is_pending();
bool has_exit_trap();
void run_exit_trap();
