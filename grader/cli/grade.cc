// mello grade: the scorecard of this tree, and the same judgement over the starters.
#include <cstdio>

#include "grader/cli/commands.h"
#include "grader/cli/grading.h"

namespace {

// A starter must score low, and what it prints must lead to the lab's own files.
bool starter_is_right(const LabResult& result, const Rubric& rubric) {
    double share = result.score / result.maximum;
    std::string file = "labs/" + result.folder + "/";
    bool names_file = false;
    for (const TestResult& test : result.tests) {
        names_file |= test.verdict != "PASS" && !test.rubric.file.empty() &&
                      fs::exists(file + test.rubric.file);
    }
    bool right = result.build_error.empty() && result.infra.empty() &&
                 share < rubric.starter_below && names_file;
    printf("starter of lab %d: %.0f of %.0f points, must stay below %.0f %%: %s\n", result.lab,
           result.score, result.maximum, rubric.starter_below * 100, right ? "as it should" : "WRONG");
    return right;
}

}  // namespace

int grade(const GradeOptions& options) {
    std::vector<int> labs = options.labs.empty() ? labs_with_rubric() : options.labs;
    uint64_t seed = options.seed != 0 ? options.seed : random_number() % 1000000 + 1;
    std::vector<GradeRequest> requests;
    for (int lab : labs) {
        GradeRequest request;
        request.lab = lab;
        request.units = options.units;
        if (options.starter) request.units["LAB_" + std::to_string(lab)] = "lab";
        request.test = options.test;
        request.seed = seed;
        requests.push_back(request);
    }
    std::vector<LabResult> results = grade_all(requests, {});
    fs::path folder = options.output.empty() ? fs::path("build/grade") : options.output;
    fs::create_directories(folder);
    bool full = true, infra = false;
    double score = 0, maximum = 0;
    for (const LabResult& result : results) {
        std::string name = "lab-" + std::to_string(result.lab);
        if (result.partial) name += "-partial";
        if (options.starter) name += "-starter";
        write_file(folder / (name + ".json"), to_json(result));
        printf("%s", scorecard(result, use_colour(1)).c_str());
        if (options.starter) {
            full &= starter_is_right(result, read_rubric(result.lab));
        } else {
            full &= result.full();
        }
        for (const TestResult& test : result.tests) infra |= test.verdict == "INFRA";
        score += result.score;
        maximum += result.maximum;
    }
    if (results.size() > 1) printf("\n  all labs: %.0f of %.0f points\n", score, maximum);
    if (infra && !full) return kExitInfra;
    return full ? 0 : 1;
}
