#include "grader/lib/util.h"

#include <fcntl.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace {

bool slurp(const fs::path& path, std::string& out) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return false;
    out.assign(std::istreambuf_iterator<char>(file), {});
    return !file.bad();
}

}  // namespace

std::string read_file(const fs::path& path) {
    std::string content;
    if (!slurp(path, content)) throw InfraError("cannot read " + path.string());
    return content;
}

std::string read_file_or(const fs::path& path, std::string_view otherwise) {
    std::string content;
    return slurp(path, content) ? content : std::string(otherwise);
}

void write_file(const fs::path& path, std::string_view content) {
    fs::path temporary = path;
    temporary += ".new" + std::to_string(getpid());
    std::ofstream file(temporary, std::ios::binary);
    file.write(content.data(), static_cast<std::streamsize>(content.size()));
    file.close();
    std::error_code error;
    if (file) fs::rename(temporary, path, error);
    if (!file || error) throw InfraError("cannot write " + path.string());
}

TempDir::TempDir(std::string_view prefix) {
    const char* base = getenv("TMPDIR");
    std::string name = std::string(base != nullptr ? base : "/tmp") + "/" +
                       std::string(prefix) + "-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) {
        throw InfraError("cannot make a folder " + name + ": " + strerror(errno));
    }
    path_ = name;
}

TempDir::~TempDir() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
}

Tail::~Tail() {
    if (fd_ >= 0) close(fd_);
}

std::string Tail::read_new() {
    std::string result;
    if (fd_ < 0) fd_ = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd_ < 0) return result;
    char buffer[65536];
    ssize_t got;
    while ((got = read(fd_, buffer, sizeof buffer)) > 0) {
        result.append(buffer, static_cast<size_t>(got));
    }
    return result;
}

double monotonic_seconds() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

void sleep_seconds(double seconds) { usleep(static_cast<useconds_t>(seconds * 1e6)); }

uint64_t random_number() {
    uint64_t value;
    if (getrandom(&value, sizeof value, 0) != sizeof value) {
        throw InfraError("getrandom failed");
    }
    return value;
}

std::string random_key() {
    char text[17];
    snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(random_number()));
    return text;
}

std::string hex(uint64_t value) {
    char text[20];
    snprintf(text, sizeof text, "%#llx", static_cast<unsigned long long>(value));
    return text;
}

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    while (!text.empty()) {
        size_t end = text.find(separator);
        parts.emplace_back(text.substr(0, end));
        text = end == text.npos ? std::string_view() : text.substr(end + 1);
    }
    return parts;
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
    std::string result;
    for (const std::string& part : parts) {
        if (!result.empty()) result += separator;
        result += part;
    }
    return result;
}

std::string_view trim(std::string_view text) {
    constexpr const char* kBlank = " \t\r\n";
    size_t first = text.find_first_not_of(kBlank);
    if (first == text.npos) return {};
    return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::string last_lines(std::string_view text, size_t count) {
    while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
    size_t position = text.size();
    while (count-- > 0 && position != text.npos && position > 0) {
        position = text.rfind('\n', position - 1);
    }
    if (position == text.npos || position == 0) return std::string(text);
    return std::string(text.substr(position + 1));
}

std::string printable(std::string_view text) {
    std::string result;
    for (char c : text) {
        auto byte = static_cast<unsigned char>(c);
        if (c == '\r') continue;
        if ((byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7f) {
            char code[8];
            snprintf(code, sizeof code, "\\x%02x", byte);
            result += code;
        } else {
            result += c;
        }
    }
    return result;
}

std::string shell_quote(std::string_view text) {
    std::string result = "'";
    for (char c : text) {
        if (c == '\'') {
            result += "'\\''";
        } else {
            result += c;
        }
    }
    return result + "'";
}
