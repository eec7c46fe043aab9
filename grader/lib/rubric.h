// The rubric of a lab: points, thresholds and hints as data (grader/rubric/N-name.toml).
//
//   lab = 3
//   title = "SYSCALL fast path"
//   [[test]]
//   name = "Budget.null_call"          # Suite.name in GoogleTest
//   title = "A null call costs at most 100 instructions"
//   points = 10
//   machine = "qemu-icount"            # host-asan, host-tsan, qemu-wall, qemu-icount, bochs-smp
//   max = 100.0                        # or min: judges the figure that the test reports
//   max_of_starter = 0.25              # or min_of_starter: the same, as a factor of the
//                                      # starter's figure (grader/rubric/baseline.json)
//   unit = "instructions"
//   hint = "the likely cause when it fails"
//   file = "entry.S"                   # the unit to look at
//   section = "budget"                 # anchor in the lab's handout
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "grader/lib/util.h"

struct RubricTest {
    std::string name, title, machine, unit, hint, file, section;
    double points = 0;
    std::optional<double> max, min;
    bool against_starter = false;  // max or min come from the starter's figure
};

struct Rubric {
    int lab = 0;
    std::string folder;  // 3-syscall
    std::string title;
    double starter_below = 0.5;  // share of the points that the starter must stay under
    // Labs whose whole starter does not come to what is measured: see grader/cli/baseline.cc.
    bool starter_boots = true;
    std::vector<RubricTest> tests;

    double total() const;
    const RubricTest* find(const std::string& name) const;
};

// What the starters reach, on machines that give the same number every time: figures by
// test name. Written by `mello baseline`.
std::map<std::string, double> read_baseline();
void write_baseline(const std::map<std::string, double>& figures);

Rubric read_rubric(int lab);  // InfraError when there is none or it is wrong
std::vector<int> labs_with_rubric();
// Shell-like pattern with * and ?, against the whole text or what follows its last dot.
bool matches(const std::string& pattern, const std::string& text);
