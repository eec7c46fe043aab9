// mello baseline: what the starters reach in the tests that are judged by a factor of the
// starter's figure (max_of_starter, min_of_starter), kept in grader/rubric/baseline.json.
// The figures come from deterministic machines, so they change only with the kernel.
#include <cmath>
#include <cstdio>

#include "grader/cli/commands.h"
#include "grader/cli/grading.h"

namespace {

constexpr double kDrift = 0.10;  // of the kept figure, before `check` calls it out of date

// One request a lab that has such tests.
std::vector<GradeRequest> requests_for(const std::vector<int>& labs) {
    std::vector<GradeRequest> requests;
    for (int lab : labs) {
        GradeRequest request;
        request.lab = lab;
        request.units["LAB_" + std::to_string(lab)] = "lab";
        for (const RubricTest& test : read_rubric(lab).tests) {
            if (test.against_starter) request.only.push_back(test.name);
        }
        if (!request.only.empty()) requests.push_back(request);
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
