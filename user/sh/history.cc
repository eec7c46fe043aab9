#include "user/sh/history.h"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

#include "user/sh/shell.h"
#include "user/sh/source.h"
#include "user/sh/variables.h"

namespace {

constexpr size_t kRemembered = 1000;

Strings lines;
size_t unsaved = 0;  // of them, at the end, that are not in the file
bool loaded = false;

std::string file_name() {
    const Variable* set = find_variable("HISTFILE");
    if (set && set->set) return set->value;
    std::string home(value_of("HOME"));
    return home.empty() ? "" : home + "/.mello_history";
}

void load() {
    if (std::exchange(loaded, true)) return;
    Strings ours(lines.end() - static_cast<ptrdiff_t>(unsaved), lines.end());
    std::string text;
    if (!read_file(file_name(), text)) return;
    lines.clear();
    for (size_t at = 0; at < text.size();) {
        size_t end = text.find('\n', at);
        if (end == text.npos) end = text.size();
        lines.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    if (lines.size() > kRemembered) {
        lines.erase(lines.begin(), lines.end() - static_cast<ptrdiff_t>(kRemembered));
    }
    lines.insert(lines.end(), ours.begin(), ours.end());
}

bool save(const std::string& line) {
    int fd = open(file_name().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) return false;
    bool saved = write_all(fd, line + "\n");
    close(fd);
    return saved;
}

}  // namespace

void add_to_history(const std::string& line) {
    if (line.find_first_not_of(" \t") == line.npos) return;
    if (!lines.empty() && lines.back() == line) return;
    lines.push_back(line);
    unsaved = save(line) ? 0 : unsaved + 1;
}

size_t history_size() {
    load();
    return lines.size();
}

const std::string& history_line(size_t index) { return lines[index]; }
