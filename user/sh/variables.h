// The shell's variables, which of them are exported, and the positional and special ones.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct Variable {
    std::string name, value;
    bool set = false;  // else only an attribute is known of it: `export name`
    bool exported = false, readonly = false;
};

// From the environment; names that are not names are left out.
void import_environment(char** environment);
// Null when it was never mentioned. Valid until the next variable comes or goes.
Variable* find_variable(std::string_view name);
// The value, "" when unset.
std::string_view value_of(std::string_view name);
// False, with a complaint, when it is read-only.
bool set_variable(std::string_view name, std::string_view value);
bool unset_variable(std::string_view name);
// The variable, made if it was not there.
Variable& variable(std::string_view name);
const std::vector<Variable>& all_variables();
// Drops what a new program would not get.
void forget_unexported();

// What execve wants; owned by the object.
class Environment {
  public:
    Environment();
    char** pointers() { return pointers_.data(); }

  private:
    std::vector<std::string> entries_;
    std::vector<char*> pointers_;
};

// Any parameter as $ knows it: a variable, 1, 2, #, ?, $, !, -, 0. Not @ and *.
std::optional<std::string> parameter(std::string_view name);

// Remembers variables and puts them back: the assignments before a command, `local`.
class SavedVariables {
  public:
    void save(std::string_view name);
    void restore();

  private:
    struct Saved {
        Variable variable;
        bool existed;
    };
    std::vector<Saved> saved_;
};
