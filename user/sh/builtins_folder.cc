// cd and pwd: the folder as the user went there, through symbolic links.
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/sh/builtins.h"
#include "user/sh/variables.h"

namespace {

// Without `.`, `..` and double slashes; `..` leads back where `name/` came from.
std::string simplified(std::string_view path) {
    std::string result;
    while (!path.empty()) {
        size_t slash = path.find('/');
        std::string_view part = path.substr(0, slash);
        if (part == "..") {
            result.erase(result.empty() ? 0 : result.rfind('/'));
        } else if (!part.empty() && part != ".") {
            (result += '/') += part;
        }
        path.remove_prefix(slash == path.npos ? path.size() : slash + 1);
    }
    return result.empty() ? "/" : result;
}

std::string system_folder() {
    char buffer[PATH_MAX];
    return getcwd(buffer, sizeof buffer) ? buffer : "";
}

}  // namespace

void find_folder() {
    struct stat named, here;
    std::string folder(value_of("PWD"));
    if (!folder.starts_with('/') || stat(folder.c_str(), &named) != 0 ||
        stat(".", &here) != 0 || named.st_dev != here.st_dev ||
        named.st_ino != here.st_ino) {
        set_variable("PWD", system_folder());
    }
}

int run_cd(const Strings& words) {
    size_t first = 1;
    bool physical = false;
    while (first < words.size() && (words[first] == "-P" || words[first] == "-L")) {
        physical = words[first++] == "-P";
    }
    std::string target(first < words.size() ? std::string_view(words[first])
                                            : value_of("HOME"));
    bool back = target == "-";
    if (back) target = value_of("OLDPWD");
    if (target.empty()) {
        complain({"cd: ", back ? "OLDPWD" : "HOME", " is not set"});
        return 1;
    }
    std::string old(value_of("PWD"));
    std::string folder =
        simplified(target.starts_with('/') ? target : old + "/" + target);
    if (chdir(physical ? target.c_str() : folder.c_str()) != 0) {
        complain({"cd: ", target, ": ", why()});
        return 1;
    }
    if (physical) folder = system_folder();
    if (!set_variable("OLDPWD", old) || !set_variable("PWD", folder)) return 1;
    return back ? print(folder + "\n") : 0;
}

int run_pwd(const Strings& words) {
    bool physical = words.size() > 1 && words[1] == "-P";
    return print((physical ? system_folder() : std::string(value_of("PWD"))) + "\n");
}
