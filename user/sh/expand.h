// Words into text: tilde, parameters, $(...), $((...)), then splitting into fields and
// file names, as POSIX orders it. After a failure (${x?}, bad arithmetic) shell.flow is
// not Normal and the result means nothing.
#pragma once
#include <string>
#include <vector>

#include "user/sh/shell.h"
#include "user/sh/syntax.h"

// The fields of a command's words: split and matched against file names.
Strings expand_words(const std::vector<Word>& words);
// One string: an assignment's value (where ~ may follow each colon), a redirect's target.
std::string expand_text(const Word& word, bool assignment = false);
// A pattern for fnmatch, in which quoted characters have a backslash.
std::string expand_pattern(const Word& word);
// Does the pattern of expand_pattern match all of the text?
bool matches(const std::string& pattern, const std::string& text);
// The names that match, sorted; none when there are none.
Strings file_names(const std::string& pattern);
// Splits by IFS into at most `limit` fields; the last takes the rest. For `read`, where a
// backslash in `escaped` marks a character that does not separate.
Strings split_line(const std::string& text, const std::vector<bool>& escaped,
                   size_t limit);
