// mello check: the project's own tests as a list of parts, each a shell command with a
// budget. A part fails by its exit status or by taking longer than its budget allows on two
// cores. Parts are started in the order of the list, and those that keep one core busy run
// beside each other. Logs are kept in build/check/. The last line is "N passed, N failed".
#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <list>

#include "grader/cli/commands.h"
#include "grader/cli/grading.h"
#include "grader/lib/process.h"

namespace {

const fs::path kLogs = "build/check";

struct Part {
    std::string name;
    double budget;  // seconds
    std::string command;
    int cores = 1;  // that it keeps busy; 2: it runs alone
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
        {"mutants-apply", 20, "for mutant in grader/mutants/*/*.patch; do "
         "patch --dry-run -s -f -p1 -i $mutant || { echo $mutant; exit 1; }; done"},
        {"build", 360, "make -j2 test-programs && make -j2 PROFILE=release", 2},
        {"rebuild-does-nothing", 20,
         "make -j2 && test -z \"$(make 2>&1 | grep -v 'Nothing to be done')\"", 2},
        {"grader-tests", 120, "build/bin/grader-tests"},
        {"kernel-tests", 60, "build/host/kernel-tests --gtest_brief=1"},
        {"pairs", 120, "grader/checks/pairs.sh", 2},
        {"thread-safety", 120, "make -j2 thread-safety", 2},
        {"swaps", 240, "grader/checks/swaps.sh", 2},
        {"boot-pvh", 20, run + "--smp 4" + kHello},
        {"boot-grub", 30, run + "--boot grub --smp 2" + kHello},
        {"boot-uefi", 40, run + "--boot uefi" + kHello},
        {"boot-bochs", 90, run + "--emu bochs" + kHello},
        {"boot-icount-twice", 40, "grader/checks/deterministic.sh"},
        {"posix", 90, run + "--smp 4 -- '/tests/posix > /tmp/log; status=$?; "
                            "grep -v ^ok /tmp/log; exit $status'"},
        {"signals", 40, run + "--smp 2 -- /tests/signals stop"},
        {"signal-storm", 60, run + "--smp 4 -- /tests/storm 5", 2},
        {"core-message", 20, run + "-- '/tests/signals core; dmesg | tail -n 5' | "
         "grep -A2 'core dumped by signal 11' | grep -A1 ' crash_inner+0x' | "
         "grep ' crash_outer+0x'"},
        {"jobs", 60, "for n in 1 2 4; do " + run + "--smp $n -- /tests/jobs || exit 1; done"},
        {"jobs-bash", 60, "grader/tools/bundle.sh build/check/bash /usr/bin/bash && " + run +
                          "--extra build/check/bash --smp 2 -- /tests/jobs /usr/bin/bash"},
        {"screens", 60, "grader/checks/screens.sh"},
        {"threads", 60, "for n in 1 2 4; do " + run + "--smp $n -- "
                        "'/tests/threads-musl && /tests/threads-glibc' || exit 1; done"},
        {"rcu", 40, run + "--smp 4 -- /tests/rcu 5"},
        {"applets", 120, "grader/checks/applets.sh --smp 2"},
        {"programs", 180, "grader/checks/programs.sh --smp 2"},
        {"rewind", 90, "grader/checks/rewind.sh"},
        {"flame", 60, "grader/checks/flame.sh"},
        {"shell", 120,
         "grader/checks/shell.sh && build/bin/shell-tests --gtest_brief=1 && "
         "grader/checks/shell_guest.sh"},
        {"fuzz", 90, "grader/checks/fuzz.sh " + number(4)},
        {"reference", 420, "build/bin/mello grade", 2},
        {"starter", 150, "build/bin/mello grade --starter --lab " + number(lab), 2},
        {"mutants", 240, "build/bin/mello mutants --sample 1 --seed " + number(seed), 2},
    };
}

std::vector<Part> proof_parts() {
    return {
        {"sanitized", 600, "grader/checks/sanitized.sh", 2},
        {"starters", 600, "build/bin/mello grade --starter", 2},
        {"all-mutants", 2400, "build/bin/mello mutants", 2},
        {"long-fuzz", 400, "grader/checks/fuzz.sh 60"},
        {"boot-storm", 300, "grader/checks/boot_soak.sh 60", 2},
        {"rcu-torture", 120, std::string(kRun) + "--timeout 90 --smp 4 -- /tests/rcu 60", 2},
        {"long-signal-storm", 120,
         "for n in 1 2 4; do build/bin/mello run --timeout 120 --smp $n -- "
         "\"/tests/storm 20 $n\" || exit 1; done", 2},
        {"stress", 240, "grader/checks/stress_soak.sh 60", 2},
    };
}

// The day's number, so that starters and mutants take turns and a day's runs agree.
uint64_t seed_of_the_day() { return static_cast<uint64_t>(time(nullptr)) / 86400; }

// A part at work.
struct Run {
    explicit Run(const Part& its_part)
        : part(its_part), log(kLogs / (part.name + ".log")), start(monotonic_seconds()),
          process({"bash", "-o", "pipefail", "-c", part.command}, output_to(log)) {}

    static ProcessOptions output_to(const fs::path& path) {
        ProcessOptions options;
        options.stdout_file = options.stderr_file = path;
        return options;
    }

    // Well over the budget it is stopped, so that a hang does not hold up the rest.
    bool ended() {
        if (!process.poll() && monotonic_seconds() - start > part.budget * 3) process.kill();
        return process.poll().has_value();
    }

    Part part;
    fs::path log;
    double start;
    Process process;
};

// The line of a part that ended, and what it said when it failed. Returns whether it is good.
bool report(Run& run) {
    double seconds = monotonic_seconds() - run.start;
    bool good = shell_status(*run.process.poll()) == 0, late = seconds > run.part.budget;
    printf("%-22s%-6s %6.1f s of %4.0f\n", run.part.name.c_str(),
           !good ? "FAILED" : late ? "LATE" : "ok", seconds, run.part.budget);
    if (!good) {
        printf("  %s\n%s\n", run.part.command.c_str(),
               printable(last_lines(read_file_or(run.log, ""), 40)).c_str());
    }
    return good && !late;
}

// On a terminal: what is at work, on the line below.
void show(const std::list<Run>& running) {
    if (isatty(STDOUT_FILENO)) {
        for (const Run& run : running) printf("%s ... ", run.part.name.c_str());
    }
    fflush(stdout);
}

}  // namespace

int check_project(const CheckOptions& options) {
    uint64_t seed = options.seed != 0 ? options.seed : seed_of_the_day();
    std::vector<Part> parts = common_parts(seed);
    if (options.proof) {
        for (const Part& part : proof_parts()) parts.push_back(part);
    }
    std::erase_if(parts, [&](const Part& part) { return !matches(options.only, part.name); });
    fs::create_directories(kLogs);
    const char* clear_line = isatty(STDOUT_FILENO) ? "\r\033[K" : "";
    double began = monotonic_seconds();
    int passed = 0, failed = 0, free_cores = 2;
    std::list<Run> running;
    for (auto next = parts.begin(); next != parts.end() || !running.empty();) {
        bool changed = false;
        for (; next != parts.end() && next->cores <= free_cores; ++next, changed = true) {
            free_cores -= next->cores;
            running.emplace_back(*next);
        }
        sleep_seconds(0.02);
        printf("%s", changed ? clear_line : "");
        for (auto run = running.begin(); run != running.end();) {
            if (!run->ended()) {
                ++run;
                continue;
            }
            printf("%s", clear_line);
            ++(report(*run) ? passed : failed);
            free_cores += run->part.cores;
            run = running.erase(run);
            changed = true;
        }
        if (changed) show(running);
    }
    printf("in %.0f s, seed %s\n", monotonic_seconds() - began, number(seed).c_str());
    printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
