#include "user/sh/execute.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "user/sh/builtins.h"
#include "user/sh/expand.h"
#include "user/sh/jobs.h"
#include "user/sh/redirect.h"
#include "user/sh/signals.h"
#include "user/sh/source.h"
#include "user/sh/variables.h"

namespace {

struct Function {
    std::string name;
    Tree body;
};
std::vector<Function> functions;
std::vector<SavedVariables> locals;  // of the functions we are in
int substitution_status = 0;         // of the last $(...)

// While it lives, a failing command is an answer and does not end the shell (set -e).
struct Condition {
    Condition() { ++shell.conditions; }
    ~Condition() { --shell.conditions; }
};

// $? of a command that is not made of others.
int finish(int status) {
    shell.status = status;
    if (status != 0 && shell.exit_on_error && shell.conditions == 0 &&
        shell.flow == Flow::Normal) {
        shell.flow = Flow::Exit;
    }
    return status;
}

// Between the rounds of a loop: is it over?
bool loop_ends() {
    if (shell.flow != Flow::Break && shell.flow != Flow::Continue) {
        return shell.flow != Flow::Normal;
    }
    if (--shell.levels > 0) return true;  // an outer one is meant
    bool over = shell.flow == Flow::Break;
    shell.flow = Flow::Normal;
    return over;
}

int run_list(const Node& node, bool last) {
    for (const Tree& child : node.children) {
        run(child, last && &child == &node.children.back());
        if (shell.flow != Flow::Normal) break;
    }
    return shell.status;
}

int run_and_or(const Node& node, bool last) {
    {
        Condition condition;
        run(node.children[0]);
    }
    if (shell.flow != Flow::Normal) return shell.status;
    bool success = shell.status == 0;
    if (success == (node.kind == Node::Kind::And)) run(node.children[1], last);
    return shell.status;
}

int run_not(const Node& node) {
    Condition condition;
    run(node.children[0]);
    if (shell.flow == Flow::Normal) shell.status = !shell.status;
    return shell.status;
}

int run_if(const Node& node, bool last) {
    {
        Condition condition;
        run(node.children[0]);
    }
    if (shell.flow != Flow::Normal) return shell.status;
    if (shell.status == 0) return run(node.children[1], last);
    shell.status = 0;
    return node.children.size() > 2 ? run(node.children[2], last) : 0;
}

int run_while(const Node& node) {
    int status = 0;
    ++shell.loops;
    for (;;) {
        {
            Condition condition;
            run(node.children[0]);
        }
        if (loop_ends()) break;
        if ((shell.status == 0) != (node.kind == Node::Kind::While)) break;
        status = run(node.children[1]);
        if (loop_ends()) break;
    }
    --shell.loops;
    return shell.flow == Flow::Normal ? shell.status = status : shell.status;
}

int run_for(const Node& node) {
    Strings values = node.has_list ? expand_words(node.words) : shell.arguments;
    if (shell.flow != Flow::Normal) return shell.status;
    shell.status = 0;
    ++shell.loops;
    for (const std::string& value : values) {
        if (!set_variable(node.name, value)) break;
        run(node.children[0]);
        if (loop_ends()) break;
    }
    --shell.loops;
    return shell.status;
}

int run_case(const Node& node, bool last) {
    std::string subject = expand_text(node.words[0]);
    for (const CaseArm& arm : node.arms) {
        for (const Word& word : arm.patterns) {
            std::string pattern = expand_pattern(word);
            if (shell.flow != Flow::Normal) return shell.status;
            if (!matches(pattern, subject)) continue;
            shell.status = 0;
            return run(arm.body, last);
        }
    }
    return shell.status = 0;
}

int run_group(const Node& node, bool last) {
    Redirections redirections;
    if (!redirections.apply(node.redirects)) return finish(1);
    return run(node.children[0], last && node.redirects.empty());
}

// In the child of a subshell or of one stage of a pipeline.
[[noreturn]] void run_and_leave(const Tree& tree) {
    run(tree, true);
    leave(shell.status);
}

[[noreturn]] void run_subshell_body(const Node& node) {
    Redirections redirections;
    if (!redirections.apply(node.redirects))
        leave(shell.flow == Flow::Normal ? 1 : shell.status);
    redirections.keep();
    run_and_leave(node.children[0]);
}

int run_subshell(const Node& node) {
    Shared<Job> job = new_job(node.text, true);
    if (fork_into(&*job) == 0) run_subshell_body(node);
    return finish(wait_in_foreground(job));
}

// Starts the stages of a pipeline (or the one command) as processes of the job.
void start(const Tree& tree, const Shared<Job>& job) {
    bool piped = tree->kind == Node::Kind::Pipeline;
    size_t count = piped ? tree->children.size() : 1;
    int input = -1;
    for (size_t i = 0; i < count; ++i) {
        int ends[2] = {-1, -1};
        if (i + 1 < count && pipe(ends) != 0) {
            fail(1, {"cannot make a pipe: ", why()});
            break;
        }
        pid_t pid = fork_into(&*job);
        if (pid == 0) {
            if (input >= 0) {
                dup2(input, 0);
                close(input);
            }
            if (ends[1] >= 0) {
                dup2(ends[1], 1);
                close(ends[0]);
                close(ends[1]);
            }
            run_and_leave(piped ? tree->children[i] : tree);
        }
        if (input >= 0) close(input);
        if (ends[1] >= 0) close(ends[1]);
        input = ends[0];
        if (pid < 0) break;
    }
    if (input >= 0) close(input);
}

int run_pipeline(const Tree& tree) {
    Shared<Job> job = new_job(tree->text, true);
    start(tree, job);
    return finish(wait_in_foreground(job));
}

int run_background(const Node& node) {
    Shared<Job> job = new_job(node.children[0]->text, false);
    start(node.children[0], job);
    put_into_background(job);
    return shell.status = 0;
}

void define_function(const Node& node) {
    remove_function(node.name);
    functions.push_back({node.name, node.children[0]});
    shell.status = 0;
}

int call_function(Tree body, const Strings& words) {
    Strings arguments(words.begin() + 1, words.end());
    arguments.swap(shell.arguments);
    int loops = std::exchange(shell.loops, 0);
    ++shell.functions;
    locals.emplace_back();
    run(body);
    locals.back().restore();
    locals.pop_back();
    --shell.functions;
    shell.loops = loops;
    arguments.swap(shell.arguments);
    if (shell.flow == Flow::Return) shell.flow = Flow::Normal;
    return shell.status;
}

// Those before a command; `saved` remembers what they change.
bool assign(const std::vector<Assignment>& assignments, SavedVariables* saved,
            bool exported) {
    for (const Assignment& assignment : assignments) {
        std::string value = expand_text(assignment.value, true);
        if (shell.flow != Flow::Normal) return false;
        if (saved) saved->save(assignment.name);
        if (!set_variable(assignment.name, value)) return false;
        if (exported) variable(assignment.name).exported = true;
    }
    return true;
}

void show_trace(const Node& node, const Strings& words) {
    std::string line = "+";
    for (const Assignment& assignment : node.assignments) {
        line += " " + assignment.name + "=" + expand_text(assignment.value, true);
    }
    for (const std::string& word : words) line += " " + word;
    write_all(2, line + "\n");
}

int run_without_words(const Node& node) {
    Redirections redirections;
    substitution_status = 0;
    if (!redirections.apply(node.redirects))
        return finish(shell.flow == Flow::Normal ? 1 : shell.status);
    if (!assign(node.assignments, nullptr, false)) return shell.status;
    return finish(substitution_status);
}

// In this process: a builtin, else the function.
int run_inside(const Node& node, const Strings& words, const Builtin* builtin,
               Tree function) {
    Redirections redirections;
    if (!redirections.apply(node.redirects)) {
        if (shell.flow != Flow::Normal) return shell.status;
        if (builtin && builtin->special && !shell.interactive) shell.flow = Flow::Exit;
        return shell.status = 1;
    }
    SavedVariables saved;
    bool keeps = builtin && builtin->special;
    int status = shell.status;
    if (assign(node.assignments, keeps ? nullptr : &saved, true)) {
        status = builtin ? builtin->run(words) : call_function(function, words);
    } else {
        status = shell.status;
    }
    if (builtin && words[0] == "exec") redirections.keep();
    saved.restore();
    return status;
}

int run_program(const Node& node, const Strings& words, bool last) {
    Shared<Job> job;
    if (!last || has_exit_trap()) {
        job = new_job(node.text, true);
        if (fork_into(&*job) != 0) return wait_in_foreground(job);
    }
    Redirections redirections;
    if (!redirections.apply(node.redirects))
        leave(shell.flow == Flow::Normal ? 1 : shell.status);
    redirections.keep();
    if (!assign(node.assignments, nullptr, true)) leave(shell.status);
    become(words);
}

int run_simple(const Node& node, bool last) {
    shell.line = node.line;
    Strings words = expand_words(node.words);
    if (shell.flow != Flow::Normal) return shell.status;
    if (shell.trace) show_trace(node, words);
    if (words.empty()) return run_without_words(node);
    const Builtin* builtin = find_builtin(words[0]);
    const Tree* function =
        builtin && builtin->special ? nullptr : find_function(words[0]);
    if (function) return finish(run_inside(node, words, nullptr, *function));
    if (builtin) return finish(run_inside(node, words, builtin, {}));
    return finish(run_program(node, words, last));
}

int dispatch(const Tree& tree, bool last) {
    const Node& node = *tree;
    switch (node.kind) {
        case Node::Kind::Simple: return run_simple(node, last);
        case Node::Kind::Pipeline: return run_pipeline(tree);
        case Node::Kind::Not: return run_not(node);
        case Node::Kind::And:
        case Node::Kind::Or: return run_and_or(node, last);
        case Node::Kind::List: return run_list(node, last);
        case Node::Kind::Background: return run_background(node);
        case Node::Kind::Subshell: return run_subshell(node);
        case Node::Kind::Group: return run_group(node, last);
        case Node::Kind::If: return run_if(node, last);
        case Node::Kind::While:
        case Node::Kind::Until: return run_while(node);
        case Node::Kind::For: return run_for(node);
        case Node::Kind::Case: return run_case(node, last);
        case Node::Kind::Function: define_function(node);
    }
    return shell.status;
}

// Text without a #! line that the kernel would not start: our own kind, most likely.
[[noreturn]] void become_script(const std::string& path, const Strings& words) {
    functions.clear();
    forget_unexported();
    shell.arguments.assign(words.begin() + 1, words.end());
    shell.name = path;
    shell.functions = shell.conditions = 0;
    shell.exit_on_error = shell.no_unset = shell.trace = shell.no_globbing = false;
    shell.at_terminal = false;
    leave(run_script(path));
}

}  // namespace

int run(const Tree& tree, bool last) {
    if (!tree || (shell.no_execution && !shell.at_terminal)) return shell.status;
    if (trap_is_pending()) run_traps();
    if (shell.interrupted && shell.interactive) {
        shell.status = 130;
        shell.flow = Flow::Abort;
    }
    if (shell.flow != Flow::Normal) return shell.status;
    // In place: dispatch may outlive what the caller holds (a function redefines itself).
    Tree kept = tree;
    int status = dispatch(kept, last);
    if (trap_is_pending()) run_traps();
    return shell.flow == Flow::Normal ? status : shell.status;
}

int run_words(const Strings& words) {
    if (const Builtin* builtin = find_builtin(words[0])) return builtin->run(words);
    Node node{};
    node.text = words[0];
    return run_program(node, words, false);
}

void become(const Strings& words) {
    std::vector<char*> arguments;
    for (const std::string& word : words)
        arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    Environment environment;
    std::string path = find_program(words[0]);
    if (path.empty()) {
        complain({words[0], ": not found"});
        leave(127);
    }
    execve(path.c_str(), arguments.data(), environment.pointers());
    int error = errno;
    if (error == ENOEXEC) become_script(path, words);
    struct stat file;
    bool directory = stat(path.c_str(), &file) == 0 && S_ISDIR(file.st_mode);
    errno = directory ? EISDIR : error;
    complain({path, ": ", why()});
    leave(error == ENOENT || error == ENOTDIR ? 127 : 126);
}

void leave(int status) {
    shell.status = status;
    if (has_exit_trap()) run_exit_trap();
    _exit(shell.status);
}

std::string command_output(const Tree& tree) {
    int ends[2];
    if (pipe(ends) != 0) {
        fail(1, {"cannot make a pipe: ", why()});
        return {};
    }
    pid_t pid = fork_into(nullptr);
    if (pid == 0) {
        close(ends[0]);
        if (ends[1] != 1) {
            dup2(ends[1], 1);
            close(ends[1]);
        }
        run_and_leave(tree);
    }
    close(ends[1]);
    std::string output;
    char buffer[4096];
    ssize_t got;
    while ((got = read(ends[0], buffer, sizeof buffer)) != 0) {
        if (got < 0 && errno != EINTR) break;
        for (ssize_t i = 0; i < got; ++i) {
            if (buffer[i]) output += buffer[i];
        }
    }
    close(ends[0]);
    if (pid > 0) substitution_status = wait_for_child(pid);
    while (output.ends_with('\n')) output.pop_back();
    return output;
}

const Tree* find_function(std::string_view name) {
    for (const Function& function : functions) {
        if (function.name == name) return &function.body;
    }
    return nullptr;
}

void remove_function(std::string_view name) {
    std::erase_if(functions,
                  [&](const Function& function) { return function.name == name; });
}

bool make_local(std::string_view name) {
    if (locals.empty()) return false;
    locals.back().save(name);
    return true;
}

std::string find_program(const std::string& name) {
    if (contains(name, '/')) return name;
    std::string_view path = value_of("PATH");
    std::string denied;
    while (!name.empty()) {
        size_t colon = path.find(':');
        std::string candidate(path.substr(0, colon));
        if (!candidate.empty()) candidate += '/';
        candidate += name;
        struct stat file;
        if (stat(candidate.c_str(), &file) == 0 && S_ISREG(file.st_mode)) {
            if (access(candidate.c_str(), X_OK) == 0) return candidate;
            denied = candidate;
        }
        if (colon == path.npos) break;
        path.remove_prefix(colon + 1);
    }
    return denied;
}
