// Grading as a library: builds a variant of the kernel, runs the lab's suite programs on it,
// and joins what they report with the rubric. `mello grade`, `mutants` and `check` are thin
// users of it.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "grader/lib/process.h"
#include "grader/lib/results.h"

struct GradeRequest {
    int lab = 0;
    std::map<std::string, std::string> units;  // LAB_3 -> ref, lab or a folder
    std::string test;                          // pattern; empty: all
    std::vector<std::string> only;             // exact names or parts behind the dot; empty: all
    uint64_t seed = 1;
    bool discard_kernel = false;               // delete the built kernel afterwards
};

struct GradeProgress {
    bool show = true;  // on stderr: one line that changes on a terminal, else a line a test
    int workers = 2;   // builds and suite programs at a time
};

// Results in the order of the requests. Shared parts (the grader's suites, the reference)
// are built first; when those fail, InfraError.
std::vector<LabResult> grade_all(const std::vector<GradeRequest>& requests,
                                 const GradeProgress& progress);

// Takes the variables of a make that called us out of the environment: a make that we start
// would read them and build something else.
void forget_outer_make();
// make in the release profile, as graded kernels are built.
CommandResult run_make(const std::vector<std::string>& arguments, double seconds = 900);
