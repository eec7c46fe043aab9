#include "user/sh/complete.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>

#include "user/sh/builtins.h"
#include "user/sh/variables.h"

namespace {

constexpr std::string_view kSpecial = " \t|&;<>()$`\\\"'*?[]#~!{}";

std::string escaped(std::string_view name) {
    std::string text;
    for (char c : name) {
        if (contains(kSpecial, c)) text += '\\';
        text += c;
    }
    return text;
}

std::string unescaped(std::string_view word) {
    std::string text;
    for (size_t i = 0; i < word.size(); ++i) {
        if (word[i] == '\\' && i + 1 < word.size()) ++i;
        text += word[i];
    }
    return text;
}

// Names in the folder that start with the prefix; hidden ones only when it asks for them.
Strings names_in(const std::string& folder, std::string_view prefix) {
    Strings names;
    DIR* directory = opendir(folder.empty() ? "." : folder.c_str());
    if (!directory) return names;
    while (const dirent* entry = readdir(directory)) {
        std::string_view name = entry->d_name;
        bool hidden = name[0] == '.' && !prefix.starts_with('.');
        if (!hidden && name.starts_with(prefix)) names.emplace_back(name);
    }
    closedir(directory);
    return names;
}

Strings commands(std::string_view prefix) {
    Strings names;
    for (const Builtin& builtin : all_builtins()) {
        if (builtin.name.starts_with(prefix)) names.emplace_back(builtin.name);
    }
    std::string_view path = value_of("PATH");
    while (!path.empty()) {
        size_t colon = path.find(':');
        for (const std::string& name :
             names_in(std::string(path.substr(0, colon)), prefix)) {
            names.push_back(name);
        }
        path.remove_prefix(colon == path.npos ? path.size() : colon + 1);
    }
    return names;
}

Strings files(const std::string& word) {
    size_t slash = word.rfind('/');
    std::string folder = slash == word.npos ? "" : word.substr(0, slash + 1);
    std::string real = folder;
    if (real.starts_with("~/")) real.replace(0, 1, value_of("HOME"));
    Strings names;
    for (const std::string& name : names_in(real, word.substr(folder.size()))) {
        struct stat file;
        bool is_folder = stat((real + name).c_str(), &file) == 0 && S_ISDIR(file.st_mode);
        std::string home = folder.starts_with("~/") ? "~" : "";
        names.push_back(home + escaped(folder.substr(home.size()) + name) +
                        (is_folder ? "/" : ""));
    }
    return names;
}

}  // namespace

Completion complete(const std::string& line, size_t cursor) {
    size_t start = cursor;
    while (start > 0 && (!contains(" \t|&;<>(`", line[start - 1]) ||
                         (start > 1 && line[start - 2] == '\\'))) {
        --start;
    }
    size_t before = start;
    while (before > 0 && contains(" \t", line[before - 1])) --before;
    bool command = before == 0 || contains("|&;(`", line[before - 1]);
    std::string word = unescaped(std::string_view(line).substr(start, cursor - start));
    Strings choices = command && !contains(word, '/') ? commands(word) : files(word);
    std::sort(choices.begin(), choices.end());
    choices.erase(std::unique(choices.begin(), choices.end()), choices.end());
    return {start, static_cast<Strings&&>(choices)};
}
