// Small things that every part of the grader needs: files, time, text.
#pragma once
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace fs = std::filesystem;

// The grader itself could not do its work (no emulator, disk full, a file missing). Never
// the fault of what is graded: ends as the verdict INFRA, never as zero points.
struct InfraError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

std::string read_file(const fs::path& path);              // InfraError when unreadable
std::string read_file_or(const fs::path& path, std::string_view otherwise);
// Writes to a temporary neighbour and renames, so that a reader never sees half a file.
void write_file(const fs::path& path, std::string_view content);

// A folder below $TMPDIR (or /tmp) that disappears with the object.
class TempDir {
  public:
    explicit TempDir(std::string_view prefix = "mello");
    ~TempDir();
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    const fs::path& path() const { return path_; }

  private:
    fs::path path_;
};

// Reads what was appended to a growing file since the last call.
class Tail {
  public:
    explicit Tail(fs::path path) : path_(std::move(path)) {}
    ~Tail();
    Tail(const Tail&) = delete;
    Tail& operator=(const Tail&) = delete;
    std::string read_new();

  private:
    fs::path path_;
    int fd_ = -1;
};

double monotonic_seconds();
void sleep_seconds(double seconds);
uint64_t random_number();        // from the operating system
std::string random_key();        // 16 hex digits
std::string hex(uint64_t value);  // 0x...

std::vector<std::string> split(std::string_view text, char separator);
std::string join(const std::vector<std::string>& parts, std::string_view separator);
std::string_view trim(std::string_view text);
// The last `count` lines of a text.
std::string last_lines(std::string_view text, size_t count);
// Control characters (but not newlines and tabs) shown as \xNN: a guest's output must not
// steer the reader's terminal.
std::string printable(std::string_view text);
// For the shell: 'it'\''s'
std::string shell_quote(std::string_view text);
