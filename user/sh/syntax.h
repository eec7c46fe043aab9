// The syntax tree: what the parser makes of the text and the executor walks over.
//
// Nodes are shared and never changed once parsed: a function lives on after the line that
// defined it, and may be redefined while it runs.
#pragma once
#include <string>
#include <utility>
#include <vector>

// A counted reference to a T, which has a member `int owners = 0`. (std::shared_ptr's
// header needs more of a C library than musl under GCC's headers can give it.)
template <typename T>
class Shared {
  public:
    Shared() = default;
    explicit Shared(T* object) : object_(object) { add(); }
    Shared(const Shared& other) : object_(other.object_) { add(); }
    Shared(Shared&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
    Shared& operator=(Shared other) noexcept {
        std::swap(object_, other.object_);
        return *this;
    }
    ~Shared() {
        if (object_ && --object_->owners == 0) delete object_;
    }
    T* operator->() const { return object_; }
    T& operator*() const { return *object_; }
    explicit operator bool() const { return object_ != nullptr; }

  private:
    void add() {
        if (object_) ++object_->owners;
    }
    T* object_ = nullptr;
};

struct Node;

// A piece of a word: either characters or something that is replaced. `a"$b"c` has three.
struct Part {
    enum class Kind : char { Text, Parameter, Command, Arithmetic };
    Kind kind = Kind::Text;
    bool quoted = false;     // neither split into fields nor a pattern
    bool colon = false;      // ${name:-...}: null is like unset
    bool longest = false;    // ${name##...}
    char operation = 0;      // of ${name...}: - = ? + # % or l for ${#name}
    std::string text;        // characters, or the parameter's name
    std::vector<Part> word;  // what follows the operation, or the arithmetic expression
    Shared<Node> command;    // of $(...)
};
using Word = std::vector<Part>;

// The text of a here-document, which is read after the line that asked for it was parsed.
struct HereDocument {
    std::string delimiter;
    bool strip_tabs = false;  // <<-
    bool literal = false;     // the delimiter was quoted
    Word body;
    int owners = 0;
};

struct Redirect {
    enum class Kind : char { Read, Write, Append, ReadWrite, Duplicate, Here };
    Kind kind;
    int fd;
    Word target;
    Shared<HereDocument> here;
};

struct Assignment {
    std::string name;
    Word value;
};

struct CaseArm {
    std::vector<Word> patterns;
    Shared<Node> body;  // may be null
};

struct Node {
    enum class Kind : char {
        Simple,      // assignments, words, redirects
        Pipeline,    // children are the stages
        Not,         // one child
        And,         // two children
        Or,          // two children
        List,        // children one after the other
        Background,  // one child
        Subshell,    // one child, redirects
        Group,       // one child, redirects: { } and every other compound with redirects
        If,          // condition, body, and maybe the else part
        While,       // condition, body
        Until,       // condition, body
        For,         // name, words, one child; has_list when there was an `in`
        Case,        // words[0], arms
        Function,    // name, one child
    };
    Kind kind;
    int line = 0;
    bool has_list = false;
    std::string text;  // as it was written, for `jobs`
    std::string name;
    std::vector<Assignment> assignments;
    std::vector<Word> words;
    std::vector<Redirect> redirects;
    std::vector<Shared<Node>> children;
    std::vector<CaseArm> arms;
    int owners = 0;
};
using Tree = Shared<Node>;
