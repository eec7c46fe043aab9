// The subcommands of build/bin/mello. Each returns the exit status of the program.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "grader/lib/machine.h"

// Exit statuses of `mello run` beside the command's own.
inline constexpr int kExitTimeout = 124;
inline constexpr int kExitCrashed = 125;   // panic, reset, or powered off too early
inline constexpr int kExitInfra = 75;      // EX_TEMPFAIL: try again, nobody's fault

struct RunOptions {
    MachineSpec machine;
    std::string command;
    fs::path extra;
    double timeout = 120;
    fs::path record;  // receives console, stdout, stderr, control and summary; may be empty
    fs::path script;  // rewind: commands for gdb instead of a person's; may be empty
};
int run_in_guest(const RunOptions& options);
int boot_interactively(const RunOptions& options);
int debug_with_gdb(const RunOptions& options);
// Records a run of the command, then replays it under gdb (grader/cli/rewind.cc).
int rewind_run(const RunOptions& options);
// Profiles the command in the guest; build/flame/stacks.folded and flame.svg.
int flame_graph(const RunOptions& options);

struct GradeOptions {
    std::vector<int> labs;                // empty: all that have a rubric
    std::string test;                     // empty: all; else a pattern with * and ?
    std::map<std::string, std::string> units;  // LAB_3 -> ref, lab or a folder
    fs::path output;                      // receives lab-N.json; default build/grade
    uint64_t seed = 0;                    // 0: a new one
    bool starter = false;                 // grade the starters: they must score low
};
int grade(const GradeOptions& options);

struct BaselineOptions {
    std::vector<int> labs;
    bool verify = false;  // compare with what is kept instead of writing it
};
int baseline(const BaselineOptions& options);

struct MutantOptions {
    std::vector<int> labs;
    std::string only;    // a pattern for the mutant's name
    int sample = 0;      // > 0: that many a lab, chosen by `seed`
    uint64_t seed = 0;
};
int check_mutants(const MutantOptions& options);

struct CheckOptions {
    bool proof = false;
    std::string only;   // a pattern for the part's name
    uint64_t seed = 0;  // 0: from the day, so that starters and mutants take turns
};
int check_project(const CheckOptions& options);
