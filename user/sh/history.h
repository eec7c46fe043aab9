// The lines that were typed. The file $HISTFILE (~/.mello_history) is read when somebody
// first looks back, never before a prompt.
#pragma once
#include <string>

void add_to_history(const std::string& line);
// Reads the file once; returns how many lines there are.
size_t history_size();
// 0 is the oldest.
const std::string& history_line(size_t index);
