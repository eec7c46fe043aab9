// getopts: the options of a script, one a call. Where it stands between two calls is in
// OPTIND and, within a word like -abc, here.
#include "user/sh/builtins.h"
#include "user/sh/variables.h"

namespace {

long known_index = 0;  // the OPTIND that `inside` belongs to
size_t inside = 1;     // the next letter in that word

}  // namespace

int run_getopts(const Strings& words) {
    if (words.size() < 3 || !is_name(words[2])) {
        complain({"getopts: getopts LETTERS NAME [ARGUMENT...]"});
        return 2;
    }
    std::string_view letters = words[1];
    bool silent = letters.starts_with(':');
    Strings given(words.begin() + 3, words.end());
    const Strings& arguments = words.size() > 3 ? given : shell.arguments;
    long index = 1;
    if (!parse_number(value_of("OPTIND"), index) || index < 1) index = 1;
    if (index != known_index) inside = 1;

    auto at = static_cast<size_t>(index) - 1;
    bool some =
        at < arguments.size() && arguments[at].size() > 1 && arguments[at][0] == '-';
    if (!some || arguments[at] == "--") {
        set_variable("OPTIND", std::to_string(index + some));
        set_variable(words[2], "?");
        known_index = 0;
        return 1;
    }
    char letter = arguments[at][inside++];
    size_t found = letter == ':' ? letters.npos : letters.find(letter, silent);
    bool wants =
        found != letters.npos && found + 1 < letters.size() && letters[found + 1] == ':';
    std::string value, name(1, letter);
    bool has_value = false;
    if (wants && inside < arguments[at].size()) {
        value = arguments[at].substr(inside);
        has_value = true;
    } else if (wants && at + 1 < arguments.size()) {
        value = arguments[++at];
        has_value = true;
    }
    if (wants || inside >= arguments[at].size()) {
        ++at;
        inside = 1;
    }
    known_index = static_cast<long>(at) + 1;
    set_variable("OPTIND", std::to_string(known_index));
    bool wrong = found == letters.npos || (wants && !has_value);
    if (wrong && silent) {
        value = name;
        name = found == letters.npos ? "?" : ":";
    } else if (wrong) {
        complain(
            {found == letters.npos ? "no such option: -" : "a value is missing for -",
             name});
        name = "?";
    }
    if (wants || wrong) set_variable("OPTARG", value);
    else unset_variable("OPTARG");
    set_variable(words[2], name);
    return 0;
}
