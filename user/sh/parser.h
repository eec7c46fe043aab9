// Tokens into the syntax tree, by recursive descent after POSIX's grammar.
#pragma once
#include <string>
#include <string_view>

#include "user/sh/lexer.h"
#include "user/sh/syntax.h"

struct Parsed {
    enum class Kind : char {
        Command,     // tree is set
        Nothing,     // blanks, comments and newlines up to the end of the text
        Incomplete,  // goes on after the end of the text
        Error,       // message says what was found where
    };
    Kind kind;
    Tree tree;
    std::string message;
    size_t end = 0;  // of what was parsed
    int line = 0;    // there
};

// The next complete command: lines up to a newline that ends one. `final` as for Lexer.
Parsed parse_command(std::string_view text, size_t at, int line, bool final);

class Parser {
  public:
    explicit Parser(Lexer& lexer) : lexer_(lexer) {}

    // Commands up to something that cannot start one; null when there are none or after a
    // failure. Over many lines, or up to the end of one.
    Tree list(bool many_lines);

  private:
    Tree required_list();
    Tree and_or();
    Tree pipeline();
    Tree command();
    Tree compound(std::string_view keyword);
    Tree simple();
    Tree if_clause();
    Tree loop(Node::Kind kind);
    Tree for_clause();
    Tree case_clause();
    Tree function(std::string name);
    Tree enclosed(Node::Kind kind, std::string_view closing);
    bool redirect(Node& node);
    void redirects_after(Tree& tree);
    bool at_list_end();
    void skip_newlines();
    bool take_operator(std::string_view operation);
    bool take_keyword(std::string_view keyword);
    void expect_keyword(std::string_view keyword);
    Tree unexpected();
    Tree node(Node::Kind kind);
    void keep_text(Tree& tree, size_t begin);

    Lexer& lexer_;
    size_t last_end_ = 0;  // of the last token taken
};
