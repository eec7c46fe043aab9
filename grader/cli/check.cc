// mello check: the project's own tests as a list of parts, each a shell command with a
// budget. A part fails by its exit status or by taking longer than its budget allows on two
// cores. Logs are kept in build/check/. The last line is "N passed, N failed".
#include <cstdio>
#include <ctime>

#include "grader/cli/commands.h"
#include "grader/cli/grading.h"
#include "grader/lib/process.h"

namespace {

const fs::path kLogs = "build/check";

struct Part {
    std::string name;
    double budget;  // seconds
    std::string command;
};

std::string number(uint64_t value) { return std::to_string(value); }

const char* kRun = "build/bin/mello run --timeout 60 ";
const char* kHello = " -- 'uname -srm; seq 1 1000 | sort -rn | head -3' | grep -x 1000";

// What both forms do.
std::vector<Part> common_parts(uint64_t seed) {
    std::string run = kRun;
    std::vector<int> labs = labs_with_rubric();
    int lab = labs[seed % labs.size()];
    return {
        {"layers", 10, "make layers"},
        {"lines", 10, "make lines"},
        {"build", 240, "make -j2 && make -j2 PROFILE=release"},
        {"rebuild-does-nothing", 20,
         "make -j2 && test -z \"$(make 2>&1 | grep -v 'Nothing to be done')\""},
        {"grader-tests", 120, "make build/bin/grader-tests && build/bin/grader-tests"},
        {"kernel-tests", 120,
         "make build/host/kernel-tests && build/host/kernel-tests --gtest_brief=1"},
        {"pairs", 120, "grader/checks/pairs.sh"},
        {"thread-safety", 120, "make -j2 thread-safety"},
        {"swaps", 240, "grader/checks/swaps.sh"},
        {"boot-pvh", 20, run + "--smp 4" + kHello},
        {"boot-grub", 30, run + "--boot grub --smp 2" + kHello},
        {"boot-uefi", 40, run + "--boot uefi" + kHello},
        {"boot-bochs", 90, run + "--emu bochs" + kHello},
        {"boot-icount-twice", 40, "grader/checks/deterministic.sh"},
        {"posix", 90, run + "--smp 4 -- '/tests/posix > /tmp/log; status=$?; "
                            "grep -v ^ok /tmp/log; exit $status'"},
        {"signals", 40, run + "--smp 2 -- /tests/signals stop"},
        {"jobs", 60, "for n in 1 2 4; do " + run + "--smp $n -- /tests/jobs || exit 1; done"},
        {"jobs-bash", 60, "grader/tools/bundle.sh build/check/bash /usr/bin/bash && " + run +
                          "--extra build/check/bash --smp 2 -- /tests/jobs /usr/bin/bash"},
        {"threads", 60, "for n in 1 2 4; do " + run + "--smp $n -- "
                        "'/tests/threads-musl && /tests/threads-glibc' || exit 1; done"},
        {"applets", 120, "grader/checks/applets.sh --smp 2"},
        {"programs", 180, "grader/checks/programs.sh --smp 2"},
        {"rewind", 60, "grader/checks/rewind.sh"},
        {"shell", 60,
         "make build/bin/shell-tests && grader/checks/shell.sh && "
         "build/bin/shell-tests --gtest_brief=1 && grader/checks/shell_guest.sh"},
        {"fuzz", 60, "grader/checks/fuzz.sh " + number(4)},
        {"reference", 360, "build/bin/mello grade"},
        {"starter", 150, "build/bin/mello grade --starter --lab " + number(lab)},
        {"mutants", 240, "build/bin/mello mutants --sample 1 --seed " + number(seed)},
    };
}

std::vector<Part> proof_parts() {
    return {
        {"sanitized", 300, "grader/checks/sanitized.sh"},
        {"starters", 600, "build/bin/mello grade --starter"},
        {"all-mutants", 2400, "build/bin/mello mutants"},
        {"long-fuzz", 400, "grader/checks/fuzz.sh 60"},
        {"boot-storm", 300, "grader/checks/boot_soak.sh 60"},
        {"stress", 240, "grader/checks/stress_soak.sh 60"},
    };
}

// The day's number, so that starters and mutants take turns and a day's runs agree.
uint64_t seed_of_the_day() { return static_cast<uint64_t>(time(nullptr)) / 86400; }

}  // namespace

int check_project(const CheckOptions& options) {
    uint64_t seed = options.seed != 0 ? options.seed : seed_of_the_day();
    std::vector<Part> parts = common_parts(seed);
    if (options.proof) {
        for (const Part& part : proof_parts()) parts.push_back(part);
    }
    fs::create_directories(kLogs);
    int passed = 0, failed = 0;
    double began = monotonic_seconds();
    for (const Part& part : parts) {
        if (!matches(options.only, part.name)) continue;
        printf("%-22s", part.name.c_str());
        fflush(stdout);
        double start = monotonic_seconds();
        // Well over the budget it is stopped, so that a hang does not hold up the rest.
        CommandResult result = run_command({"bash", "-o", "pipefail", "-c", part.command},
                                           part.budget * 3);
        double seconds = monotonic_seconds() - start;
        write_file(kLogs / (part.name + ".log"), result.output);
        bool late = seconds > part.budget;
        bool ok = result.status == 0 && !late;
        printf("%-6s %6.1f s of %4.0f\n", ok ? "ok" : late && result.status == 0 ? "LATE" : "FAILED",
               seconds, part.budget);
        if (result.status != 0) {
            printf("  %s\n%s\n", part.command.c_str(),
                   printable(last_lines(result.output, 40)).c_str());
        }
        fflush(stdout);
        ++(ok ? passed : failed);
    }
    printf("in %.0f s, seed %s\n", monotonic_seconds() - began, number(seed).c_str());
    printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
