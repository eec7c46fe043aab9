// test, also called [: POSIX's grammar by number of arguments, with -a, -o and ( ) for
// more.
#include <sys/stat.h>
#include <unistd.h>

#include "user/sh/builtins.h"

namespace {

constexpr int kError = 2;

class Test {
  public:
    Test(const Strings& words, size_t first, size_t end)
        : words_(words), at_(first), end_(end) {}

    int run() {
        if (at_ == end_) return 1;
        bool result = any();
        if (at_ != end_ && !failed_) error("unexpected", words_[at_]);
        return failed_ ? kError : !result;
    }

  private:
    size_t left() const { return end_ - at_; }
    bool next_is(std::string_view word) const {
        return at_ < end_ && words_[at_] == word;
    }
    bool error(std::string_view what, std::string_view where) {
        if (!failed_) complain({words_[0], ": ", what, " `", where, "`"});
        failed_ = true;
        at_ = end_;
        return false;
    }

    bool any() {
        bool result = all();
        while (next_is("-o")) {
            ++at_;
            result |= all();
        }
        return result;
    }
    bool all() {
        bool result = negated();
        while (next_is("-a")) {
            ++at_;
            result &= negated();
        }
        return result;
    }
    bool negated() {
        // `test !` and `test ! = x` ask about the text "!".
        if (next_is("!") && left() > 1 && !is_binary(at_ + 1)) {
            ++at_;
            return !negated();
        }
        return primary();
    }

    bool is_binary(size_t at) const {
        if (at + 1 >= end_) return false;
        for (std::string_view name : {"=", "==", "!=", "<", ">", "-eq", "-ne", "-lt",
                                      "-le", "-gt", "-ge", "-nt", "-ot", "-ef"}) {
            if (words_[at] == name) return true;
        }
        return false;
    }

    bool primary() {
        if (left() == 0) return error("something is missing after", words_[at_ - 1]);
        if (is_binary(at_ + 1)) {
            at_ += 3;
            return binary(words_[at_ - 3], words_[at_ - 2], words_[at_ - 1]);
        }
        const std::string& word = words_[at_++];
        if (word == "(" && left() > 1) {
            bool result = any();
            if (!next_is(")")) return error("missing ) after", words_[at_ - 1]);
            ++at_;
            return result;
        }
        bool unary_name = word.size() == 2 && word[0] == '-' &&
                          contains("bcdefghknprstuwxzLOGS", word[1]);
        if (unary_name && left() > 0) return unary(word[1], words_[at_++]);
        return !word.empty();
    }

    bool unary(char operation, const std::string& text) {
        struct stat file;
        switch (operation) {
            case 'n': return !text.empty();
            case 'z': return text.empty();
            case 'r': return access(text.c_str(), R_OK) == 0;
            case 'w': return access(text.c_str(), W_OK) == 0;
            case 'x': return access(text.c_str(), X_OK) == 0;
            case 't': return isatty(static_cast<int>(number(text)));
            case 'h':
            case 'L': return lstat(text.c_str(), &file) == 0 && S_ISLNK(file.st_mode);
        }
        if (stat(text.c_str(), &file) != 0) return false;
        switch (operation) {
            case 'b': return S_ISBLK(file.st_mode);
            case 'c': return S_ISCHR(file.st_mode);
            case 'd': return S_ISDIR(file.st_mode);
            case 'f': return S_ISREG(file.st_mode);
            case 'p': return S_ISFIFO(file.st_mode);
            case 'S': return S_ISSOCK(file.st_mode);
            case 's': return file.st_size > 0;
            case 'g': return file.st_mode & S_ISGID;
            case 'u': return file.st_mode & S_ISUID;
            case 'k': return file.st_mode & S_ISVTX;
            case 'O': return file.st_uid == geteuid();
            case 'G': return file.st_gid == getegid();
        }
        return true;  // -e
    }

    long number(std::string_view text) {
        long value = 0;
        while (text.starts_with(' ')) text.remove_prefix(1);
        while (text.ends_with(' ')) text.remove_suffix(1);
        if (!parse_number(text, value)) error("not a number:", text);
        return value;
    }

    bool binary(const std::string& left, std::string_view operation,
                const std::string& right) {
        if (operation == "=" || operation == "==") return left == right;
        if (operation == "!=") return left != right;
        if (operation == "<") return left < right;
        if (operation == ">") return left > right;
        if (operation == "-nt" || operation == "-ot" || operation == "-ef") {
            return compare_files(left, operation, right);
        }
        long a = number(left), b = number(right);
        if (operation == "-eq") return a == b;
        if (operation == "-ne") return a != b;
        if (operation == "-lt") return a < b;
        if (operation == "-le") return a <= b;
        return operation == "-gt" ? a > b : a >= b;
    }

    static bool compare_files(const std::string& left, std::string_view operation,
                              const std::string& right) {
        struct stat a, b;
        bool has_a = stat(left.c_str(), &a) == 0, has_b = stat(right.c_str(), &b) == 0;
        if (operation == "-ot") {
            std::swap(a, b);
            std::swap(has_a, has_b);
        }
        if (!has_a || !has_b) return has_a && operation != "-ef";
        if (operation == "-ef") return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
        return a.st_mtim.tv_sec != b.st_mtim.tv_sec
                   ? a.st_mtim.tv_sec > b.st_mtim.tv_sec
                   : a.st_mtim.tv_nsec > b.st_mtim.tv_nsec;
    }

    const Strings& words_;
    size_t at_, end_;
    bool failed_ = false;
};

}  // namespace

int run_test(const Strings& words) {
    size_t end = words.size();
    if (words[0] == "[" && words[--end] != "]") {
        complain({"[: missing ]"});
        return kError;
    }
    return Test(words, 1, end).run();
}
