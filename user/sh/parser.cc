#include "user/sh/parser.h"

#include "user/sh/shell.h"

namespace {

// Words that end a list where a command could start.
bool is_closing(std::string_view word) {
    for (std::string_view closing :
         {"then", "else", "elif", "fi", "do", "done", "esac", "}"}) {
        if (word == closing) return true;
    }
    return false;
}

bool is_redirect(const Token& token) {
    return token.kind == Token::Kind::Number ||
           (token.kind == Token::Kind::Operator &&
            (token.text[0] == '<' || token.text[0] == '>'));
}

// `name=...` at the start of a word.
bool split_assignment(const Word& word, Assignment& assignment) {
    if (word[0].kind != Part::Kind::Text || word[0].quoted) return false;
    size_t equals = word[0].text.find('=');
    if (equals == std::string::npos || !is_name(word[0].text.substr(0, equals)))
        return false;
    assignment.name = word[0].text.substr(0, equals);
    assignment.value = word;
    assignment.value[0].text.erase(0, equals + 1);
    return true;
}

}  // namespace

Parsed parse_command(std::string_view text, size_t at, int line, bool final) {
    Lexer lexer(text, at, line, final);
    while (lexer.peek().kind == Token::Kind::Newline) lexer.take();
    Tree tree = Parser(lexer).list(false);
    Token after = lexer.take();
    using Kind = Parsed::Kind;
    if (lexer.failed()) {
        bool incomplete = lexer.incomplete() && !final;
        return {incomplete ? Kind::Incomplete : Kind::Error,
                {},
                lexer.message(),
                text.size(),
                lexer.line()};
    }
    if (after.kind != Token::Kind::Newline && after.kind != Token::Kind::End) {
        std::string found(text.substr(after.begin, after.end - after.begin));
        return {
            Kind::Error, {}, "unexpected `" + found + "`", lexer.position(), after.line};
    }
    return {
        tree ? Kind::Command : Kind::Nothing, tree, {}, lexer.position(), lexer.line()};
}

Tree Parser::node(Node::Kind kind) {
    auto* node = new Node{};
    node->kind = kind;
    node->line = lexer_.peek().line;
    return Tree(node);
}

// Fails with the token that should not be there; always null.
Tree Parser::unexpected() {
    const Token& token = lexer_.peek();
    if (token.kind == Token::Kind::End) {
        lexer_.fail_incomplete();
    } else if (token.kind == Token::Kind::Newline) {
        lexer_.fail("unexpected end of line");
    } else {
        std::string found(lexer_.text().substr(token.begin, token.end - token.begin));
        lexer_.fail("unexpected `" + found + "`");
    }
    return {};
}

void Parser::keep_text(Tree& tree, size_t begin) {
    if (tree) tree->text = lexer_.text().substr(begin, last_end_ - begin);
}

void Parser::skip_newlines() {
    while (lexer_.peek().kind == Token::Kind::Newline) lexer_.take();
}

bool Parser::take_operator(std::string_view operation) {
    if (!lexer_.peek().is(operation)) return false;
    last_end_ = lexer_.take().end;
    return true;
}

bool Parser::take_keyword(std::string_view keyword) {
    if (lexer_.peek().plain() != keyword) return false;
    last_end_ = lexer_.take().end;
    return true;
}

void Parser::expect_keyword(std::string_view keyword) {
    if (!take_keyword(keyword)) unexpected();
}

bool Parser::at_list_end() {
    const Token& token = lexer_.peek();
    return token.kind == Token::Kind::End || token.kind == Token::Kind::Newline ||
           token.is(")") || token.is(";;") || is_closing(token.plain());
}

Tree Parser::list(bool many_lines) {
    Tree result = node(Node::Kind::List);
    if (many_lines) skip_newlines();
    while (!at_list_end()) {
        size_t begin = lexer_.peek().begin;
        Tree item = and_or();
        if (!item || lexer_.failed()) return {};
        size_t end = last_end_;
        bool more = true;
        if (take_operator("&")) {
            Tree background = node(Node::Kind::Background);
            background->children.push_back(item);
            item->text = lexer_.text().substr(begin, end - begin);
            item = background;
        } else if (!take_operator(";")) {
            more = many_lines && lexer_.peek().kind == Token::Kind::Newline;
        }
        result->children.push_back(item);
        if (!more) break;
        if (many_lines) skip_newlines();
    }
    if (lexer_.failed() || result->children.empty()) return {};
    return result->children.size() == 1 ? result->children[0] : result;
}

Tree Parser::required_list() {
    Tree result = list(true);
    return result || lexer_.failed() ? result : unexpected();
}

Tree Parser::and_or() {
    Tree left = pipeline();
    for (;;) {
        bool both = lexer_.peek().is("&&");
        if (!left || !(both || lexer_.peek().is("||"))) return left;
        lexer_.take();
        skip_newlines();
        Tree joined = node(both ? Node::Kind::And : Node::Kind::Or);
        Tree right = pipeline();
        if (!right) return {};
        joined->children = {left, right};
        left = joined;
    }
}

Tree Parser::pipeline() {
    size_t begin = lexer_.peek().begin;
    bool negated = take_keyword("!");
    Tree result = command();
    if (result && lexer_.peek().is("|")) {
        Tree stages = node(Node::Kind::Pipeline);
        stages->children.push_back(result);
        while (take_operator("|")) {
            skip_newlines();
            stages->children.push_back(command());
            if (!stages->children.back()) return {};
        }
        result = stages;
    }
    keep_text(result, begin);
    if (negated && result) {
        Tree not_node = node(Node::Kind::Not);
        not_node->children.push_back(result);
        keep_text(not_node, begin);
        result = not_node;
    }
    return result;
}

Tree Parser::command() {
    const Token& token = lexer_.peek();
    if (is_redirect(token)) return simple();
    Tree result;
    if (take_operator("(")) {
        result = enclosed(Node::Kind::Subshell, ")");
    } else if (token.kind != Token::Kind::Word || is_closing(token.plain())) {
        return unexpected();
    } else {
        std::string keyword(token.plain());
        if (take_keyword("{")) {
            result = enclosed(Node::Kind::Group, "}");
        } else if (take_keyword("if")) {
            result = if_clause();
        } else if (take_keyword("while")) {
            result = loop(Node::Kind::While);
        } else if (take_keyword("until")) {
            result = loop(Node::Kind::Until);
        } else if (take_keyword("for")) {
            result = for_clause();
        } else if (take_keyword("case")) {
            result = case_clause();
        } else {
            return simple();
        }
    }
    if (result) redirects_after(result);
    return lexer_.failed() ? Tree() : result;
}

// After the opening token of ( ) or { }.
Tree Parser::enclosed(Node::Kind kind, std::string_view closing) {
    Tree result = node(kind);
    result->children.push_back(required_list());
    if (lexer_.failed()) return {};
    if (!take_operator(closing) && !take_keyword(closing)) return unexpected();
    return result;
}

// After `if` or `elif`; an `elif` is an if in the else part.
Tree Parser::if_clause() {
    Tree result = node(Node::Kind::If);
    result->children.push_back(required_list());
    expect_keyword("then");
    result->children.push_back(required_list());
    if (take_keyword("elif")) {
        result->children.push_back(if_clause());
        return result;
    }
    if (take_keyword("else")) result->children.push_back(required_list());
    expect_keyword("fi");
    return result;
}

Tree Parser::loop(Node::Kind kind) {
    Tree result = node(kind);
    result->children.push_back(required_list());
    expect_keyword("do");
    result->children.push_back(required_list());
    expect_keyword("done");
    return result;
}

Tree Parser::for_clause() {
    Tree result = node(Node::Kind::For);
    if (!is_name(lexer_.peek().plain())) return unexpected();
    result->name = lexer_.take().plain();
    skip_newlines();
    if (take_keyword("in")) {
        result->has_list = true;
        while (lexer_.peek().kind == Token::Kind::Word) {
            result->words.push_back(lexer_.take().word);
        }
        if (!lexer_.peek().is(";") && lexer_.peek().kind != Token::Kind::Newline) {
            return unexpected();
        }
    }
    take_operator(";");
    skip_newlines();
    expect_keyword("do");
    result->children.push_back(required_list());
    expect_keyword("done");
    return result;
}

Tree Parser::case_clause() {
    Tree result = node(Node::Kind::Case);
    if (lexer_.peek().kind != Token::Kind::Word) return unexpected();
    result->words.push_back(lexer_.take().word);
    skip_newlines();
    expect_keyword("in");
    for (skip_newlines(); !take_keyword("esac"); skip_newlines()) {
        CaseArm arm;
        take_operator("(");
        do {
            if (lexer_.peek().kind != Token::Kind::Word) return unexpected();
            arm.patterns.push_back(lexer_.take().word);
        } while (take_operator("|"));
        if (!take_operator(")")) return unexpected();
        arm.body = list(true);
        result->arms.push_back(arm);
        if (!take_operator(";;") && lexer_.peek().plain() != "esac") return unexpected();
    }
    return result;
}

// After `name (`.
Tree Parser::function(std::string name) {
    Tree result = node(Node::Kind::Function);
    result->name = name;
    if (!take_operator(")") || !is_name(name)) return unexpected();
    skip_newlines();
    result->children.push_back(command());
    return result->children[0] ? result : Tree();
}

Tree Parser::simple() {
    Tree result = node(Node::Kind::Simple);
    for (;;) {
        const Token& token = lexer_.peek();
        if (is_redirect(token)) {
            if (!redirect(*result)) return {};
            continue;
        }
        if (token.kind != Token::Kind::Word) break;
        Assignment assignment;
        if (result->words.empty() && split_assignment(token.word, assignment)) {
            result->assignments.push_back(assignment);
            last_end_ = lexer_.take().end;
            continue;
        }
        std::string name(token.plain());
        result->words.push_back(token.word);
        last_end_ = lexer_.take().end;
        bool first = result->words.size() == 1 && result->assignments.empty();
        if (first && result->redirects.empty() && take_operator("("))
            return function(name);
    }
    return lexer_.failed() ? Tree() : result;
}

// One redirect; false after a failure.
bool Parser::redirect(Node& node) {
    Redirect redirect{};
    long number = -1;
    if (lexer_.peek().kind == Token::Kind::Number) {
        if (!parse_number(lexer_.take().text, number) || number > 1023) {
            lexer_.fail("bad file descriptor number");
            return false;
        }
    }
    std::string operation = lexer_.take().text;
    redirect.fd = number >= 0 ? static_cast<int>(number) : operation[0] == '<' ? 0 : 1;
    using Kind = Redirect::Kind;
    redirect.kind = operation == "<"      ? Kind::Read
                    : operation == ">>"   ? Kind::Append
                    : operation == "<>"   ? Kind::ReadWrite
                    : operation[1] == '&' ? Kind::Duplicate
                    : operation[0] == '<' ? Kind::Here
                                          : Kind::Write;
    if (lexer_.peek().kind != Token::Kind::Word) {
        unexpected();
        return false;
    }
    Token target = lexer_.take();
    last_end_ = target.end;
    redirect.target = target.word;
    if (redirect.kind == Kind::Here) {
        redirect.here = Shared<HereDocument>(new HereDocument{});
        redirect.here->strip_tabs = operation == "<<-";
        for (const Part& part : target.word) {
            redirect.here->delimiter += part.text;
            redirect.here->literal |= part.quoted;
        }
        lexer_.expect_here_document(redirect.here);
    }
    node.redirects.push_back(redirect);
    return true;
}

// Redirects of a compound command. Only a group and a subshell have some of their own.
void Parser::redirects_after(Tree& tree) {
    if (!is_redirect(lexer_.peek())) return;
    if (tree->kind != Node::Kind::Group && tree->kind != Node::Kind::Subshell) {
        Tree group = node(Node::Kind::Group);
        group->children.push_back(tree);
        tree = group;
    }
    while (is_redirect(lexer_.peek()) && redirect(*tree)) {
    }
}
