// One line from the terminal on descriptor 0, with editing:
//
//   arrows, Home, End, Delete, Ctrl-A E B F D    move and delete by characters
//   Ctrl-Left, Ctrl-Right, Alt-B F D             by words
//   Ctrl-K U W Y                                 cut to end, to start, a word; paste
//   up, down, Ctrl-P N R                         history, Ctrl-R searches it
//   Tab                                          completes commands and files
//   Ctrl-L C D                                   clear the screen, drop the line, end
//
// Characters are UTF-8, also those that fill two cells or none; long lines wrap.
#pragma once
#include <string>
#include <string_view>

enum class LineEnd : char { Enter, End, Interrupted };

// The prompt goes to standard error. The line comes without its newline. What is typed
// after it stays unread. Where descriptor 0 is no terminal, the line is read as it comes.
LineEnd read_line(std::string_view prompt, std::string& line);

// Puts the terminal's modes back to those before the last read_line (a program that was
// killed or stopped may have left others).
void restore_terminal();
