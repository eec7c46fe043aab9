// The integer expressions of $((...)): C's operators on long, variables by name,
// assignments.
#pragma once
#include <string_view>

// False, after a complaint that leaves what runs, when it is not an expression.
bool evaluate(std::string_view expression, long& value);
