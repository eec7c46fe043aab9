#include "grader/lib/rubric.h"

#include <fnmatch.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <toml++/toml.h>

namespace {

const fs::path kFolder = "grader/rubric";
const fs::path kBaseline = kFolder / "baseline.json";

const std::set<std::string> kMachines = {"host-asan",   "host-tsan", "qemu-wall",
                                         "qemu-icount", "bochs-smp", "qemu-kvm"};

fs::path rubric_file(int lab) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(kFolder, error)) {
        std::string name = entry.path().filename().string();
        if (name.starts_with(std::to_string(lab) + "-") && name.ends_with(".toml")) {
            return entry.path();
        }
    }
    throw InfraError("lab " + std::to_string(lab) + " has no rubric in " + kFolder.string());
}

// A bound given as a factor of the starter's figure. Without a figure the bound is zero,
// which no kernel meets: `mello baseline` comes first.
void bound_by_starter(std::optional<double>& bound, const toml::table& table, const char* key,
                      RubricTest& test, const std::map<std::string, double>& baseline) {
    std::optional<double> factor = table[key].value<double>();
    if (!factor) return;
    test.against_starter = true;
    auto figure = baseline.find(test.name);
    bound = figure == baseline.end() ? 0 : *factor * figure->second;
}

RubricTest parse_test(const toml::table& table, const std::string& where,
                      const std::map<std::string, double>& baseline) {
    RubricTest test;
    auto text = [&](const char* key, bool needed) {
        std::string value = table[key].value_or(std::string());
        if (value.empty() && needed) throw InfraError(where + ": a test has no " + key);
        return value;
    };
    test.name = text("name", true);
    test.title = text("title", true);
    test.machine = text("machine", true);
    test.hint = text("hint", true);
    test.file = text("file", true);
    test.section = text("section", false);
    test.unit = text("unit", false);
    test.points = table["points"].value_or(0.0);
    test.max = table["max"].value<double>();
    test.min = table["min"].value<double>();
    bound_by_starter(test.max, table, "max_of_starter", test, baseline);
    bound_by_starter(test.min, table, "min_of_starter", test, baseline);
    if (!kMachines.contains(test.machine)) {
        throw InfraError(where + ": " + test.name + ": no machine " + test.machine);
    }
    if (test.points <= 0) throw InfraError(where + ": " + test.name + " has no points");
    return test;
}

}  // namespace

double Rubric::total() const {
    double sum = 0;
    for (const RubricTest& test : tests) sum += test.points;
    return sum;
}

const RubricTest* Rubric::find(const std::string& name) const {
    for (const RubricTest& test : tests) {
        if (test.name == name) return &test;
    }
    return nullptr;
}

std::map<std::string, double> read_baseline() {
    std::string text = read_file_or(kBaseline, "{}");
    try {
        return nlohmann::json::parse(text).get<std::map<std::string, double>>();
    } catch (const nlohmann::json::exception& error) {
        throw InfraError(kBaseline.string() + ": " + error.what());
    }
}

void write_baseline(const std::map<std::string, double>& figures) {
    write_file(kBaseline, nlohmann::json(figures).dump(2) + "\n");
}

Rubric read_rubric(int lab) {
    fs::path file = rubric_file(lab);
    Rubric rubric;
    std::map<std::string, double> baseline = read_baseline();
    try {
        toml::table table = toml::parse_file(file.string());
        rubric.lab = lab;
        rubric.folder = file.stem().string();
        rubric.title = table["title"].value_or(rubric.folder);
        rubric.starter_below = table["starter_below"].value_or(rubric.starter_below);
        rubric.starter_boots = table["starter_boots"].value_or(rubric.starter_boots);
        if (table["lab"].value_or(0) != lab) {
            throw InfraError(file.string() + ": lab does not fit the file's name");
        }
        const toml::array* tests = table["test"].as_array();
        if (tests == nullptr) throw InfraError(file.string() + ": no [[test]]");
        std::set<std::string> names;
        for (const toml::node& node : *tests) {
            rubric.tests.push_back(parse_test(*node.as_table(), file.string(), baseline));
            if (!names.insert(rubric.tests.back().name).second) {
                throw InfraError(file.string() + ": twice: " + rubric.tests.back().name);
            }
        }
    } catch (const toml::parse_error& error) {
        throw InfraError(file.string() + ":" + std::to_string(error.source().begin.line) + ": " +
                         std::string(error.description()));
    }
    return rubric;
}

std::vector<int> labs_with_rubric() {
    std::vector<int> labs;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(kFolder, error)) {
        std::string name = entry.path().filename().string();
        if (name.ends_with(".toml") && isdigit(name[0])) labs.push_back(name[0] - '0');
    }
    std::sort(labs.begin(), labs.end());
    return labs;
}

bool matches(const std::string& pattern, const std::string& text) {
    if (pattern.empty() || fnmatch(pattern.c_str(), text.c_str(), 0) == 0) return true;
    size_t dot = text.rfind('.');
    return dot != text.npos && fnmatch(pattern.c_str(), text.c_str() + dot + 1, 0) == 0;
}
