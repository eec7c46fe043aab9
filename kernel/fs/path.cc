// Path text: see path.h. Every function looks only inside the views that it was given.
#include "kernel/fs/path.h"

#include <cstring>

#include "kernel/base/log.h"

Result<std::string_view> PathCursor::next() {
    const char* text = rest_.data();
    size_t size = rest_.size(), start = 0;
    while (start < size && text[start] == '/') start++;
    size_t end = start;
    while (end < size && text[end] != '/') end++;
    if (end - start > kMaxName) return Error(ENAMETOOLONG);
    rest_ = {text + end, size - end};
    return std::string_view(text + start, end - start);
}

PathSplit path_split(std::string_view path) {
    size_t end = path.find_last_not_of('/') + 1;  // nothing but slashes: npos + 1 is 0
    size_t start = path.substr(0, end).rfind('/') + 1;
    std::string_view parent = ".";
    // One slash stays, so that "/x" has the parent "/".
    if (start > 0) parent = path.substr(0, start);
    else if (end == 0 && !path.empty()) parent = "/";
    return {parent, path.substr(start, end - start), end < path.size()};
}

Result<std::span<char>> PathExpansion::room(std::string_view rest) {
    if (rest.size() > buffer_.size()) return Error(ENAMETOOLONG);
    // A rest that lies in the buffer already ends where the buffer ends: memmove keeps
    // it.
    start_ = buffer_.size() - rest.size();
    if (!rest.empty()) memmove(buffer_.data() + start_, rest.data(), rest.size());
    return buffer_.first(start_);
}

std::string_view PathExpansion::commit(size_t length) {
    ASSERT(length <= start_);
    start_ -= length;
    if (length > 0) memmove(buffer_.data() + start_, buffer_.data(), length);
    return {buffer_.data() + start_, buffer_.size() - start_};
}
