// mello baseline: what the starters reach in the tests that are judged by a factor of the
// starter's figure (max_of_starter, min_of_starter), kept in grader/rubric/baseline.json.
// The figures come from deterministic machines, so they change only with the kernel.
//
// Where a lab's starter does not boot, or lacks what is measured (starter_boots = false in its
// rubric), only the unit that a test is about is the starter's, and the others are the
// reference's.
#include <cmath>
#include <cstdio>

#include "grader/cli/commands.h"
#include "grader/cli/grading.h"

namespace {

constexpr double kDrift = 0.10;  // of the kept figure, before `check` calls it out of date

// The reference's units with one of the starter's among them.
fs::path folder_with(const std::string& lab, const std::string& unit) {
    fs::path folder = "build/baseline/" + lab + "/" + unit;
    fs::remove_all(folder);
    fs::create_directories(folder);
    for (const auto& entry : fs::directory_iterator("solutions/" + lab)) {
        if (entry.is_regular_file()) fs::copy_file(entry.path(), folder / entry.path().filename());
    }
    fs::copy_file("labs/" + lab + "/" + unit, folder / unit,
                  fs::copy_options::overwrite_existing);
    return folder;
}

// One request for each choice of units that such tests want.
std::vector<GradeRequest> requests_for(const std::vector<int>& labs) {
    std::vector<GradeRequest> requests;
    for (int lab : labs) {
        Rubric rubric = read_rubric(lab);
        std::map<std::string, GradeRequest> by_units;
        for (const RubricTest& test : rubric.tests) {
            if (!test.against_starter) continue;
            GradeRequest& request = by_units[rubric.starter_boots ? "lab" : test.file];
            request.only.push_back(test.name);
        }
        for (auto& [units, request] : by_units) {
            request.lab = lab;
            request.units["LAB_" + std::to_string(lab)] =
                rubric.starter_boots ? "lab" : folder_with(rubric.folder, units).string();
            requests.push_back(request);
        }
    }
    return requests;
}

}  // namespace

int baseline(const BaselineOptions& options) {
    std::vector<int> labs = options.labs.empty() ? labs_with_rubric() : options.labs;
    std::map<std::string, double> kept = read_baseline();
    bool good = true;
    for (const LabResult& result : grade_all(requests_for(labs), {})) {
        for (const TestResult& test : result.tests) {
            const std::string& name = test.rubric.name;
            if (!test.figure) {
                printf("%s: no figure: %s\n", name.c_str(), test.message.c_str());
                good = false;
                continue;
            }
            double before = kept[name], now = *test.figure;
            bool drifted = std::abs(now - before) > kDrift * before;
            printf("%-50s %14.2f, kept %14.2f%s\n", name.c_str(), now, before,
                   drifted ? "  DIFFERS" : "");
            if (options.verify) {
                good &= !drifted;
            } else {
                kept[name] = now;
            }
        }
    }
    if (!options.verify) write_baseline(kept);
    return good ? 0 : 1;
}
