#include "user/sh/variables.h"

#include <algorithm>

#include "user/sh/shell.h"

namespace {

std::vector<Variable> variables;  // sorted by name

auto place_of(std::string_view name) {
    return std::lower_bound(variables.begin(), variables.end(), name,
                            [](const Variable& variable, std::string_view name) {
                                return variable.name < name;
                            });
}

void erase_variable(std::string_view name) {
    auto place = place_of(name);
    if (place != variables.end() && place->name == name) variables.erase(place);
}

std::string option_letters() {
    std::string letters;
    if (shell.exit_on_error) letters += 'e';
    if (shell.no_globbing) letters += 'f';
    if (shell.interactive) letters += 'i';
    if (shell.monitor) letters += 'm';
    if (shell.no_unset) letters += 'u';
    if (shell.trace) letters += 'x';
    return letters;
}

}  // namespace

void import_environment(char** environment) {
    for (; *environment; ++environment) {
        std::string_view entry = *environment;
        size_t equals = entry.find('=');
        if (equals == entry.npos || !is_name(entry.substr(0, equals))) continue;
        Variable& imported = variable(entry.substr(0, equals));
        imported.value = entry.substr(equals + 1);
        imported.set = imported.exported = true;
    }
}

Variable* find_variable(std::string_view name) {
    auto place = place_of(name);
    return place != variables.end() && place->name == name ? &*place : nullptr;
}

Variable& variable(std::string_view name) {
    auto place = place_of(name);
    if (place == variables.end() || place->name != name) {
        place = variables.insert(place, Variable{});
        place->name = name;
    }
    return *place;
}

std::string_view value_of(std::string_view name) {
    const Variable* found = find_variable(name);
    return found ? std::string_view(found->value) : std::string_view();
}

bool set_variable(std::string_view name, std::string_view value) {
    Variable& changed = variable(name);
    if (changed.readonly) {
        fail(2, {name, ": is read only"});
        return false;
    }
    changed.value =
        std::string(value);  // a copy first: value may be part of what it replaces
    changed.set = true;
    return true;
}

bool unset_variable(std::string_view name) {
    const Variable* found = find_variable(name);
    if (found && found->readonly) {
        fail(2, {name, ": is read only"});
        return false;
    }
    erase_variable(name);
    return true;
}

const std::vector<Variable>& all_variables() { return variables; }

void forget_unexported() {
    std::erase_if(variables, [](const Variable& variable) { return !variable.exported; });
}

Environment::Environment() {
    for (const Variable& variable : variables) {
        if (variable.exported && variable.set) {
            entries_.push_back(variable.name + "=" + variable.value);
        }
    }
    for (std::string& entry : entries_) pointers_.push_back(entry.data());
    pointers_.push_back(nullptr);
}

std::optional<std::string> parameter(std::string_view name) {
    if (is_digit(name[0])) {
        long index = 0;
        if (!parse_number(name, index)) return {};
        if (index == 0) return shell.name;
        if (static_cast<size_t>(index) > shell.arguments.size()) return {};
        return shell.arguments[static_cast<size_t>(index) - 1];
    }
    if (is_name_char(name[0])) {
        if (name == "LINENO") return std::to_string(shell.line);
        const Variable* found = find_variable(name);
        if (!found || !found->set) return {};
        return found->value;
    }
    switch (name[0]) {
        case '#': return std::to_string(shell.arguments.size());
        case '?': return std::to_string(shell.status);
        case '$': return std::to_string(shell.pid);
        case '-': return option_letters();
        case '!':
            if (shell.background == 0) return {};
            return std::to_string(shell.background);
    }
    return {};
}

void SavedVariables::save(std::string_view name) {
    const Variable* found = find_variable(name);
    saved_.push_back({found ? *found : Variable{}, found != nullptr});
    saved_.back().variable.name = name;
}

void SavedVariables::restore() {
    for (size_t i = saved_.size(); i-- > 0;) {
        if (saved_[i].existed) {
            variable(saved_[i].variable.name) = saved_[i].variable;
        } else {
            erase_variable(saved_[i].variable.name);
        }
    }
    saved_.clear();
}
