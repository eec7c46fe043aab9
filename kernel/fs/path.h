// The text of paths: components, the last component, and symlink targets put in front of
// what is left. No inodes here: this part of the path walk reads what users wrote, so it
// stands alone, is tested and fuzzed on the host (grader/fuzz/path_fuzz.cc).
//
// POSIX XBD 4.13, "Pathname Resolution": several slashes count as one, and a trailing
// slash asks for a directory.
#pragma once
#include <cstddef>
#include <span>
#include <string_view>

#include "kernel/base/types.h"

inline constexpr size_t kMaxPath = 4096;  // with the final NUL
inline constexpr size_t kMaxName = 255;
inline constexpr int kMaxSymlinks = 40;

// Goes through a path from left to right.
class PathCursor {
  public:
    explicit PathCursor(std::string_view path) : rest_(path) {}
    // The next component; empty at the end. ENAMETOOLONG beyond kMaxName.
    Result<std::string_view> next();
    // Does a slash follow the component that next() gave last? At the last component:
    // does the path ask for a directory?
    bool trailing_slash() const { return !rest_.empty(); }
    // What next() has not looked at: empty, or beginning with a slash (once it was
    // called).
    std::string_view rest() const { return rest_; }

  private:
    std::string_view rest_;
};

// A path cut before its last component.
struct PathSplit {
    std::string_view parent;  // "." when the path has one component only; or "/"
    std::string_view name;    // without slashes; empty for "", "/" and the like
    bool trailing_slash;
};
PathSplit path_split(std::string_view path);

// The path still to walk after symlinks were met, right-aligned in the buffer: what the
// walk consumed on the left makes room for the next target.
class PathExpansion {
  public:
    explicit PathExpansion(std::span<char> buffer)
        : buffer_(buffer), start_(buffer.size()) {}
    // Keeps `rest` (any text, or part of this expansion) and returns the room for a
    // target in front of it. ENAMETOOLONG when the rest does not fit.
    Result<std::span<char>> room(std::string_view rest);
    // The first `length` bytes of the room are the target: returns target + rest.
    std::string_view commit(size_t length);

  private:
    std::span<char> buffer_;
    size_t start_;  // where the pending text begins
};
