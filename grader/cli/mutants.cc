// mello mutants: the grader's own examination. Each patch in grader/mutants/N-name/ plants
// one classic mistake in the reference of its lab; the suite must find it.
//
//   # breaks: SYSRET with a non-canonical return address is not caught
//   # caught-by: Entry.non_canonical_return, Entry.other
//   # says: ring 0                     (optional: what message or hint must contain)
//   --- a/solutions/3-syscall/entry.S
//   ...
//
// A mutant is caught when one of the named tests ends as FAIL or TIMEOUT, with a message,
// and with the words of "says" in it or in its hint.
#include <algorithm>
#include <cstdio>

#include "grader/cli/commands.h"
#include "grader/cli/grading.h"
#include "grader/lib/process.h"

namespace {

const fs::path kMutants = "grader/mutants";
const fs::path kWork = "build/mutants";

struct Mutant {
    int lab = 0;
    std::string folder;  // 3-syscall
    std::string name;    // without .patch
    fs::path patch;
    std::string breaks, says;
    std::vector<std::string> caught_by;
};

Mutant read_mutant(const fs::path& patch) {
    Mutant mutant;
    mutant.patch = patch;
    mutant.name = patch.stem().string();
    mutant.folder = patch.parent_path().filename().string();
    mutant.lab = mutant.folder[0] - '0';
    for (const std::string& line : split(read_file(patch), '\n')) {
        if (!line.starts_with("# ")) break;
        size_t colon = line.find(':');
        if (colon == line.npos) continue;
        std::string key = line.substr(2, colon - 2);
        std::string value(trim(line.substr(colon + 1)));
        if (key == "breaks") mutant.breaks = value;
        if (key == "says") mutant.says = value;
        if (key == "caught-by") {
            for (const std::string& test : split(value, ',')) {
                mutant.caught_by.emplace_back(trim(test));
            }
        }
    }
    if (mutant.breaks.empty() || mutant.caught_by.empty()) {
        throw InfraError(patch.string() + " lacks '# breaks:' or '# caught-by:'");
    }
    return mutant;
}

std::vector<Mutant> all_mutants(const MutantOptions& options) {
    std::vector<Mutant> mutants;
    std::error_code error;
    for (const auto& entry : fs::recursive_directory_iterator(kMutants, error)) {
        if (entry.path().extension() != ".patch") continue;
        Mutant mutant = read_mutant(entry.path());
        bool lab = options.labs.empty() ||
                   std::find(options.labs.begin(), options.labs.end(), mutant.lab) !=
                       options.labs.end();
        if (lab && matches(options.only, mutant.name)) mutants.push_back(mutant);
    }
    std::sort(mutants.begin(), mutants.end(), [](const Mutant& a, const Mutant& b) {
        return std::pair(a.folder, a.name) < std::pair(b.folder, b.name);
    });
    return mutants;
}

// `count` of each lab, starting at a place that the seed chooses.
std::vector<Mutant> sample(const std::vector<Mutant>& mutants, int count, uint64_t seed) {
    std::vector<Mutant> chosen;
    for (int lab = 1; lab <= 9; ++lab) {
        std::vector<Mutant> ours;
        std::copy_if(mutants.begin(), mutants.end(), std::back_inserter(ours),
                     [lab](const Mutant& mutant) { return mutant.lab == lab; });
        for (size_t i = 0; i < std::min<size_t>(static_cast<size_t>(count), ours.size()); ++i) {
            chosen.push_back(ours[(seed + i) % ours.size()]);
        }
    }
    return chosen;
}

// A folder with the reference's units, one of them patched.
fs::path plant(const Mutant& mutant) {
    fs::path folder = kWork / mutant.folder / mutant.name;
    fs::path wanted = folder.string() + ".new";
    fs::remove_all(wanted);
    fs::create_directories(wanted);
    for (const auto& entry : fs::directory_iterator("solutions/" + mutant.folder)) {
        if (entry.is_regular_file()) fs::copy_file(entry.path(), wanted / entry.path().filename());
    }
    CommandResult patched = run_command({"patch", "--quiet", "--no-backup-if-mismatch", "-p3",
                                         "-d", wanted, "-i", fs::absolute(mutant.patch)});
    if (patched.status != 0) {
        throw InfraError(mutant.patch.string() + " does not apply:\n" + patched.output);
    }
    // Files that are the same keep their time, so that only the patched unit compiles again.
    fs::create_directories(folder);
    for (const auto& entry : fs::directory_iterator(wanted)) {
        fs::path target = folder / entry.path().filename();
        if (read_file_or(target, "") != read_file(entry.path())) {
            fs::copy_file(entry.path(), target, fs::copy_options::overwrite_existing);
        }
    }
    fs::remove_all(wanted);
    return folder;
}

// Empty when the mutant was caught as it should be, else what went wrong.
std::string judge(const Mutant& mutant, const LabResult& result) {
    if (!result.build_error.empty()) return "it does not build:\n" + result.build_error;
    std::string why;
    for (const TestResult& test : result.tests) {
        if (test.verdict != "FAIL" && test.verdict != "TIMEOUT") {
            why += test.rubric.name + " says " + test.verdict + "\n";
            if (test.verdict == "INFRA") why += test.message + "\n";
            continue;
        }
        bool fits = (test.message + test.rubric.hint).find(mutant.says) != std::string::npos;
        if (fits && !test.message.empty()) return {};
        why += test.rubric.name + " fails without the words \"" + mutant.says + "\":\n" +
               test.message;
    }
    return why;
}

}  // namespace

int check_mutants(const MutantOptions& options) {
    std::vector<Mutant> mutants = all_mutants(options);
    if (options.sample > 0) mutants = sample(mutants, options.sample, options.seed);
    if (mutants.empty()) {
        fprintf(stderr, "mello: there is no such mutant\n");
        return kExitInfra;
    }
    std::vector<GradeRequest> requests;
    for (const Mutant& mutant : mutants) {
        GradeRequest request;
        request.lab = mutant.lab;
        request.units["LAB_" + std::to_string(mutant.lab)] = plant(mutant).string();
        request.only = mutant.caught_by;
        request.seed = options.seed + 1;
        request.discard_kernel = true;
        requests.push_back(request);
    }
    std::vector<LabResult> results = grade_all(requests, {.show = false});
    int missed = 0;
    for (size_t i = 0; i < mutants.size(); ++i) {
        std::string why = judge(mutants[i], results[i]);
        printf("%-7s %s/%s: %s (%.0f s)\n", why.empty() ? "caught" : "MISSED",
               mutants[i].folder.c_str(), mutants[i].name.c_str(), mutants[i].breaks.c_str(),
               results[i].seconds);
        if (!why.empty()) printf("%s\n", why.c_str());
        missed += !why.empty();
    }
    printf("%zu of %zu mutants caught\n", mutants.size() - static_cast<size_t>(missed),
           mutants.size());
    return missed == 0 ? 0 : 1;
}
