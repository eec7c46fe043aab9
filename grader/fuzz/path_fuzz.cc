// Path text: components, splitting, and symlink targets put in front of what is left.
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "kernel/fs/path.h"

namespace {

void must(bool held) {
    if (!held) abort();
}

void check_split(std::string_view path) {
    PathSplit split = path_split(path);
    must(split.name.find('/') == split.name.npos);
    must(!split.parent.empty());
    if (!split.name.empty()) must(path.find(split.name) != path.npos);
}

// A walk in which every component that begins with 'l' is a symlink to `target`, as the
// kernel's walk does it. Compared with the same on std::string.
void check_expansion(std::string_view path, std::string_view target) {
    std::vector<char> buffer(kMaxPath);
    PathExpansion expansion(buffer);
    std::string model(path);
    PathCursor cursor(path);
    int links = 0;
    for (;;) {
        Result<std::string_view> component = cursor.next();
        size_t start = model.find_first_not_of('/');
        std::string expected;
        if (start != model.npos) expected = model.substr(start, model.find('/', start) - start);
        if (!component.ok()) {
            must(expected.size() > kMaxName);
            return;
        }
        must(component.value() == expected);
        if (expected.empty()) return;
        model = model.substr(start + expected.size());
        must(cursor.rest() == model);
        if (expected[0] != 'l' || ++links > kMaxSymlinks) {
            if (links > kMaxSymlinks) return;
            continue;
        }
        Result<std::span<char>> room = expansion.room(cursor.rest());
        if (!room.ok() || room.value().size() < target.size()) return;
        memcpy(room.value().data(), target.data(), target.size());
        std::string_view whole = expansion.commit(target.size());
        model = std::string(target) + model;
        must(whole == model);
        cursor = PathCursor(whole);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string_view text(reinterpret_cast<const char*>(data), size);
    size_t cut = text.find('\n');
    std::string_view path = text.substr(0, cut);
    std::string_view target = cut == text.npos ? std::string_view("") : text.substr(cut + 1);
    check_split(path);
    check_expansion(path, target);
    return 0;
}
