#include "grader/lib/results.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <nlohmann/json.hpp>

#include "grader/lib/process.h"

using nlohmann::json;

namespace {

constexpr int kSchemaVersion = 1;
constexpr size_t kMessageLines = 20;
constexpr size_t kExcerptBytes = 4000;

struct Palette {
    const char *good, *bad, *dim, *strong, *off;
};
constexpr Palette kColours = {"\x1b[32m", "\x1b[31m", "\x1b[2m", "\x1b[1m", "\x1b[0m"};
constexpr Palette kPlain = {"", "", "", "", ""};

std::string number(double value) {
    return std::floor(value) == value ? fmt::format("{:.0f}", value)
                                      : fmt::format("{:.2f}", value);
}

std::string figure_text(const TestResult& test) {
    if (!test.figure) return {};
    std::string text = number(*test.figure);
    if (!test.rubric.unit.empty()) text += " " + test.rubric.unit;
    if (test.rubric.max) text += " (at most " + number(*test.rubric.max) + ")";
    if (test.rubric.min) text += " (at least " + number(*test.rubric.min) + ")";
    return text;
}

std::string indented(const std::string& text, const char* indent, size_t lines) {
    std::vector<std::string> all = split(trim(text), '\n');
    std::string result;
    for (size_t i = 0; i < all.size() && i < lines; ++i) result += indent + all[i] + "\n";
    if (all.size() > lines) {
        result += fmt::format("{}... {} more lines in the JSON\n", indent, all.size() - lines);
    }
    return result;
}

std::string handout(const LabResult& lab, const RubricTest& test) {
    std::string text = "handouts/" + lab.folder + ".md";
    return test.section.empty() ? text : text + "#" + test.section;
}

}  // namespace

bool use_colour(int fd) { return isatty(fd) && getenv("NO_COLOR") == nullptr; }

std::string scorecard(const LabResult& lab, bool colour) {
    const Palette& c = colour ? kColours : kPlain;
    std::string text =
        fmt::format("\n{}Lab {}  {}{}   {}{}{}\n\n", c.strong, lab.lab, lab.title, c.off, c.dim,
                    lab.source, c.off);
    if (!lab.infra.empty()) {
        text += "  The grader could not do its work; this is not counted against anyone:\n" +
                indented(lab.infra, "    ", 30);
    }
    if (!lab.build_error.empty()) {
        text += fmt::format("  {}It does not build.{}\n", c.bad, c.off) +
                indented(printable(lab.build_error), "    ", 30) + "\n";
    }
    size_t width = 20;
    for (const TestResult& test : lab.tests) width = std::max(width, test.rubric.title.size());
    for (const TestResult& test : lab.tests) {
        bool pass = test.verdict == "PASS";
        const char* paint = pass ? c.good : test.verdict == "FAIL" || test.verdict == "TIMEOUT"
                                                ? c.bad
                                                : c.dim;
        std::string line =
            fmt::format("  {}{:<8}{}{:>4} /{:>3}  {}{:<12}{}{:<{}}  {}", paint, test.verdict,
                        c.off, number(test.score), number(test.rubric.points), c.dim,
                        test.rubric.machine, c.off, test.rubric.title, width, figure_text(test));
        text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
        if (pass || !lab.build_error.empty()) continue;
        text += indented(printable(test.message), "            ", kMessageLines);
        if (test.verdict == "FAIL" || test.verdict == "TIMEOUT") {
            text += fmt::format("            likely: {}\n            look at: labs/{}/{}, {}\n",
                                test.rubric.hint, lab.folder, test.rubric.file,
                                handout(lab, test.rubric));
        }
        text += fmt::format("            {}again:{} {}\n", c.dim, c.off, test.repeat);
    }
    text += fmt::format("\n  {}{} of {} points{}{}   {}{:.0f} s{}\n", c.strong, number(lab.score),
                        number(lab.maximum), c.off, lab.partial ? " (only some tests ran)" : "",
                        c.dim, lab.seconds, c.off);
    return text;
}

namespace {

std::string first_line(const std::vector<std::string>& command) {
    std::vector<std::string> lines = split(run_command(command, 20).output, '\n');
    return lines.empty() ? "" : lines[0];
}

std::string checksum(const std::vector<std::string>& files) {
    std::vector<std::string> command = {"sha256sum"};
    for (const std::string& file : files) {
        if (fs::is_regular_file(file)) command.push_back(file);
    }
    if (command.size() == 1) return {};
    std::string all;
    for (const std::string& line : split(run_command(command, 60).output, '\n')) {
        all += line.substr(0, 64);
    }
    if (command.size() == 2) return all;
    TempDir folder;
    write_file(folder.path() / "sums", all);
    return run_command({"sha256sum", folder.path() / "sums"}).output.substr(0, 64);
}

std::vector<std::string> files_of(const fs::path& folder) {
    std::vector<std::string> files;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
        if (entry.is_regular_file()) files.push_back(entry.path().string());
    }
    std::sort(files.begin(), files.end());
    return files;
}

json test_to_json(const TestResult& test) {
    json out = {{"name", test.rubric.name},     {"title", test.rubric.title},
                {"points", test.score},         {"maximum", test.rubric.points},
                {"verdict", test.verdict},      {"machine", test.rubric.machine},
                {"seconds", test.seconds},      {"seed", test.seed},
                {"repeat", test.repeat},        {"hint", test.rubric.hint},
                {"file", test.rubric.file},
                {"excerpt", printable(test.message).substr(0, kExcerptBytes)}};
    if (test.figure) {
        out["figure"] = *test.figure;
        out["unit"] = test.rubric.unit;
        const std::optional<double>& limit = test.rubric.max ? test.rubric.max : test.rubric.min;
        if (limit) {
            out["threshold"] = *limit;
            // Share of the threshold that is left: negative when it is missed.
            double margin = (*limit - *test.figure) / *limit;
            out["margin"] = test.rubric.max ? margin : -margin;
        }
    }
    return out;
}

}  // namespace

std::string to_json(const LabResult& lab) {
    json tests = json::array();
    for (const TestResult& test : lab.tests) tests.push_back(test_to_json(test));
    std::vector<std::string> grader = {"build/bin/mello",
                                       "build/bin/suite-" + std::to_string(lab.lab),
                                       "grader/rubric/" + lab.folder + ".toml"};
    char now[40];
    time_t seconds = time(nullptr);
    strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%SZ", gmtime(&seconds));
    json out = {
        {"schema", kSchemaVersion},
        {"lab", lab.lab},
        {"title", lab.title},
        {"variant", lab.variant},
        {"points", lab.score},
        {"maximum", lab.maximum},
        {"partial", lab.partial},
        {"build_error", printable(lab.build_error)},
        {"infra", lab.infra},
        {"tests", tests},
        {"finished", now},
        {"seconds", lab.seconds},
        {"sandbox", "none"},
        {"hashes",
         {{"submission", checksum(files_of(lab.source))}, {"grader", checksum(grader)}}},
        {"toolchain",
         {first_line({"g++", "--version"}), first_line({"qemu-system-x86_64", "--version"})}}};
    return out.dump(2) + "\n";
}

std::optional<ReportedTest> parse_report(const std::string& line) {
    json object = json::parse(line, nullptr, false);
    if (!object.is_object()) return {};
    ReportedTest test;
    if (object.contains("start")) {
        test.name = object["start"];
        return test;
    }
    test.finished = true;
    test.name = object.value("test", "");
    test.verdict = object.value("verdict", "INFRA");
    test.message = object.value("message", "");
    test.seconds = object.value("seconds", 0.0);
    json properties = object.value("properties", json::object());
    test.seed = properties.value("seed", "");
    test.machine = properties.value("machine", "");
    test.unit = properties.value("unit", "");
    if (properties.contains("figure")) {
        test.figure = strtod(properties["figure"].get<std::string>().c_str(), nullptr);
    }
    return test;
}
