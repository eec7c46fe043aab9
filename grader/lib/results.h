// What grading a lab found out, and its forms: a scorecard for people, JSON for programs.
// The JSON file is the truth; every other format is made from it.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "grader/lib/rubric.h"

struct TestResult {
    RubricTest rubric;
    std::string verdict;  // PASS FAIL TIMEOUT INFRA SKIPPED
    double score = 0;
    double seconds = 0;
    std::optional<double> figure;
    std::string message;
    std::string seed;
    std::string repeat;   // the command that runs this test alone
};

struct LabResult {
    int lab = 0;
    std::string folder, title;
    std::string variant;       // ref, lab or a folder
    std::string source;        // the folder of the units
    std::string build_error;   // the compiler's words; the tests are then all FAIL
    std::string infra;         // the grader's own trouble, if it had any
    std::vector<TestResult> tests;
    double score = 0, maximum = 0;
    double seconds = 0;
    bool partial = false;      // only some tests were asked for

    bool full() const { return infra.empty() && build_error.empty() && score == maximum; }
};

// Colour only on a terminal and without NO_COLOR.
bool use_colour(int fd);
std::string scorecard(const LabResult& result, bool colour);
std::string to_json(const LabResult& result);

// One line of what a suite program wrote (grader/suites/reporter.cc).
struct ReportedTest {
    bool finished = false;  // false: it started
    std::string name, verdict, message, seed, machine, unit;
    double seconds = 0;
    std::optional<double> figure;
};
std::optional<ReportedTest> parse_report(const std::string& line);
