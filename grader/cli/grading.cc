#include "grader/cli/grading.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <set>

namespace {

constexpr double kHostTestLimit = 60;    // seconds of progress for one host test
constexpr double kBootTestLimit = 900;   // booted tests have limits of their own within it
constexpr double kBuildLimit = 900;

std::vector<std::string> make_command(const std::vector<std::string>& arguments) {
    // One build at a time in this tree, also of several graders: make does not expect company.
    std::vector<std::string> command = {"flock", "--no-fork", "build/lock", "make", "-j2",
                                        "PROFILE=release"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return command;
}

// name=path lines that the build targets print.
std::map<std::string, std::string> places(const std::string& output) {
    std::map<std::string, std::string> result;
    for (const std::string& line : split(output, '\n')) {
        size_t equals = line.find('=');
        if (equals != line.npos && line.find(' ') == line.npos) {
            result[line.substr(0, equals)] = line.substr(equals + 1);
        }
    }
    return result;
}

// What of a failed build concerns its author: errors, with what follows them.
std::string compiler_errors(const std::string& output) {
    std::string text;
    for (const std::string& line : split(output, '\n')) {
        bool noise = line.starts_with("CXX ") || line.starts_with("AS ") ||
                     line.starts_with("LINK ") || line.starts_with("make") ||
                     line.find("=build/") != line.npos || trim(line).empty();
        if (!noise) text += line + "\n";
    }
    return text.empty() ? output : text;
}

bool is_host(const std::string& machine) { return machine.starts_with("host-"); }

// One graded lab on its way: first its build, then its suite programs.
struct Subject {
    GradeRequest request;
    Rubric rubric;
    LabResult result;
    std::map<std::string, std::string> places;
    std::set<std::string> wanted;
    int open_jobs = 0;
    double began = 0;
    bool finished = false;

    TestResult* find(const std::string& name) {
        for (TestResult& test : result.tests) {
            if (test.rubric.name == name) return &test;
        }
        return nullptr;
    }
};

struct Job {
    Subject* subject;
    std::string machine;               // "build", or whose tests these are
    std::vector<std::string> tests;    // to run, by name
    TempDir folder{"mello-grade"};
    std::unique_ptr<Process> process;
    std::unique_ptr<Tail> results;
    std::string partial;
    std::string current;               // the test that runs now
    std::set<std::string> done;
    double last_event = 0;             // by the process's own clock
    bool killed = false;
};

class Grading {
  public:
    Grading(const std::vector<GradeRequest>& requests, const GradeProgress& progress)
        : progress_(progress), terminal_(isatty(2) != 0) {
        for (const GradeRequest& request : requests) add(request);
    }

    std::vector<LabResult> run() {
        prepare();
        for (auto& subject : subjects_) queue_build(*subject);
        while (!queue_.empty() || !running_.empty()) {
            start_waiting();
            for (size_t i = 0; i < running_.size();) {
                if (step(*running_[i])) {
                    std::unique_ptr<Job> job = std::move(running_[i]);
                    running_.erase(running_.begin() + static_cast<long>(i));
                    conclude(*job);
                } else {
                    ++i;
                }
            }
            show_line();
            sleep_seconds(0.02);
        }
        clear_line();
        std::vector<LabResult> results;
        for (auto& subject : subjects_) results.push_back(std::move(subject->result));
        return results;
    }

  private:
    void add(const GradeRequest& request) {
        auto subject = std::make_unique<Subject>();
        subject->request = request;
        subject->rubric = read_rubric(request.lab);
        const Rubric& rubric = subject->rubric;
        LabResult& result = subject->result;
        result.lab = request.lab;
        result.folder = rubric.folder;
        result.title = rubric.title;
        std::string key = "LAB_" + std::to_string(request.lab);
        auto choice = request.units.find(key);
        result.variant = choice == request.units.end() ? "ref" : choice->second;
        result.source = result.variant == "ref"   ? "solutions/" + rubric.folder
                        : result.variant == "lab" ? "labs/" + rubric.folder
                                                  : result.variant;
        for (const RubricTest& test : rubric.tests) {
            if (!asked_for(request, test.name)) {
                result.partial = true;
                continue;
            }
            TestResult one;
            one.rubric = test;
            one.verdict = "INFRA";
            one.message = "the test did not run";
            one.seed = std::to_string(request.seed);
            one.repeat = "make grade LAB=" + std::to_string(request.lab) + " TEST=" + test.name +
                         " SEED=" + one.seed;
            for (const auto& [name, value] : request.units) one.repeat += " " + name + "=" + value;
            result.tests.push_back(one);
            result.maximum += test.points;
            subject->wanted.insert(test.name);
        }
        if (subject->wanted.empty()) {
            throw InfraError("lab " + std::to_string(request.lab) + " has no test " +
                             request.test + join(request.only, ", "));
        }
        subjects_.push_back(std::move(subject));
    }

    static bool asked_for(const GradeRequest& request, const std::string& name) {
        if (!matches(request.test, name)) return false;
        if (request.only.empty()) return true;
        return std::any_of(request.only.begin(), request.only.end(),
                           [&](const std::string& one) { return matches(one, name); });
    }

    // The reference and the suites: nobody's submission. Must build.
    void prepare() {
        say("building");
        std::set<int> labs;
        bool boots = false;
        std::vector<std::string> goals;
        for (auto& subject : subjects_) {
            for (const TestResult& test : subject->result.tests) {
                boots |= !is_host(test.rubric.machine);
            }
            if (!labs.insert(subject->request.lab).second) continue;
            std::string number = std::to_string(subject->request.lab);
            goals.push_back("boot-suite-" + number);
            goals.push_back("host-suites-" + number);
        }
        if (boots) goals.push_back("graded-kernel");
        CommandResult built = run_make(goals);
        if (built.status != 0) {
            clear_line();
            throw InfraError("the reference or the grader does not build:\n" +
                             compiler_errors(built.output));
        }
        for (auto& subject : subjects_) check_names(*subject);
    }

    // Every test has its rubric entry and every entry its test.
    void check_names(Subject& subject) {
        std::string number = std::to_string(subject.request.lab);
        CommandResult built = run_make({"boot-suite-" + number, "host-suites-" + number});
        std::map<std::string, std::string> programs = places(built.output);
        std::set<std::string> found;
        for (const auto& [kind, program] : programs) {
            if (kind != "boot" && kind != "asan" && kind != "tsan") continue;
            std::string suite;
            CommandResult list = run_command({program, "--gtest_list_tests"}, 60);
            for (const std::string& line : split(list.output, '\n')) {
                std::string word(trim(std::string_view(line).substr(0, line.find('#'))));
                if (word.empty() || line.starts_with("Running")) continue;
                if (line[0] != ' ') {
                    suite = word;
                    continue;
                }
                std::string name = suite + word;
                found.insert(name);
                const RubricTest* entry = subject.rubric.find(name);
                if (entry == nullptr) throw InfraError(name + " has no entry in the rubric");
                bool fits = kind == "boot" ? !is_host(entry->machine)
                                           : entry->machine == "host-" + kind;
                if (!fits) throw InfraError(name + ": the rubric names the wrong machine");
            }
        }
        for (const RubricTest& test : subject.rubric.tests) {
            if (!found.contains(test.name)) {
                throw InfraError("the rubric names " + test.name + ", which is in no suite");
            }
        }
    }

    void queue_build(Subject& subject) {
        auto job = std::make_unique<Job>();
        job->subject = &subject;
        job->machine = "build";
        subject.open_jobs = 1;
        queue_.push_back(std::move(job));
    }

    void start_waiting() {
        while (!queue_.empty() && static_cast<int>(running_.size()) < progress_.workers) {
            std::unique_ptr<Job> job = std::move(queue_.front());
            queue_.pop_front();
            if (job->machine == "build") {
                start_build(*job);
            } else {
                start_suite(*job);
            }
            running_.push_back(std::move(job));
        }
    }

    void start_build(Job& job) {
        Subject& subject = *job.subject;
        subject.began = monotonic_seconds();
        std::string number = std::to_string(subject.request.lab);
        std::vector<std::string> goals = {"boot-suite-" + number};
        bool boots = false, hosts = false;
        for (const TestResult& test : subject.result.tests) {
            (is_host(test.rubric.machine) ? hosts : boots) = true;
        }
        if (boots) goals.push_back("graded-kernel");
        if (hosts) goals.push_back("host-suites-" + number);
        for (const auto& [name, value] : subject.request.units) goals.push_back(name + "=" + value);
        ProcessOptions options;
        options.stdout_file = options.stderr_file = job.folder.path() / "log";
        job.process = std::make_unique<Process>(make_command(goals), options);
    }

    void start_suite(Job& job) {
        Subject& subject = *job.subject;
        std::string kind = is_host(job.machine) ? job.machine.substr(5) : "boot";
        fs::path results = job.folder.path() / "results";
        ProcessOptions options;
        options.stdout_file = options.stderr_file = job.folder.path() / "log";
        options.max_file_bytes = 512u << 20;
        options.environment = {{"MELLO_RESULTS", results},
                               {"MELLO_SEED", std::to_string(subject.request.seed)},
                               {"MELLO_KERNEL", subject.places["kernel"]},
                               {"MELLO_INITRAMFS", subject.places["initramfs"]},
                               {"ASAN_OPTIONS", "detect_leaks=0"},
                               {"TMPDIR", job.folder.path()}};
        job.results = std::make_unique<Tail>(results);
        job.process = std::make_unique<Process>(
            std::vector<std::string>{subject.places[kind],
                                     "--gtest_filter=" + join(job.tests, ":")},
            options);
    }

    // True when the job has ended.
    bool step(Job& job) {
        std::optional<int> ended = job.process->poll();
        if (job.results) read_results(job);
        if (ended) return true;
        double limit = job.machine == "build"   ? kBuildLimit
                       : is_host(job.machine)   ? kHostTestLimit
                                                : kBootTestLimit;
        if (job.process->served_seconds() - job.last_event > limit) {
            job.killed = true;
            job.process->kill();
            return true;
        }
        return false;
    }

    void read_results(Job& job) {
        job.partial += job.results->read_new();
        for (size_t end; (end = job.partial.find('\n')) != job.partial.npos;) {
            std::optional<ReportedTest> report = parse_report(job.partial.substr(0, end));
            job.partial.erase(0, end + 1);
            if (!report) continue;
            job.last_event = job.process->served_seconds();
            job.current = report->finished ? "" : report->name;
            if (!report->finished) continue;
            job.done.insert(report->name);
            TestResult* test = job.subject->find(report->name);
            if (test != nullptr) judge(*test, *report);
        }
    }

    // The suite's verdict, and the rubric's on the figure.
    void judge(TestResult& test, const ReportedTest& report) {
        test.verdict = report.verdict;
        test.message = report.message;
        test.seconds = report.seconds;
        test.figure = report.figure;
        if (!report.unit.empty()) test.rubric.unit = report.unit;
        bool judged = test.rubric.max || test.rubric.min;
        if (!report.machine.empty() && report.machine != test.rubric.machine) {
            test.verdict = "INFRA";
            test.message = "ran on " + report.machine + ", the rubric says " + test.rubric.machine;
        } else if (test.verdict == "PASS" && judged && !test.figure) {
            test.verdict = "INFRA";
            test.message = "the test reported no figure to judge";
        } else if (test.verdict == "PASS" && judged) {
            bool over = test.rubric.max && *test.figure > *test.rubric.max;
            bool under = test.rubric.min && *test.figure < *test.rubric.min;
            if (over || under) {
                test.verdict = "FAIL";
                test.message = over ? "the figure is above the threshold"
                                    : "the figure is below the threshold";
            }
        }
        test.score = test.verdict == "PASS" ? test.rubric.points : 0;
        show_test(test);
    }

    void conclude(Job& job) {
        Subject& subject = *job.subject;
        if (job.machine == "build") {
            conclude_build(job);
        } else {
            conclude_suite(job);
        }
        if (--subject.open_jobs > 0) return;
        subject.result.seconds = monotonic_seconds() - subject.began;
        for (const TestResult& test : subject.result.tests) subject.result.score += test.score;
        if (subject.request.discard_kernel && !subject.places["kernel"].empty()) {
            std::error_code ignored;
            fs::remove_all(fs::path(subject.places["kernel"]).parent_path(), ignored);
        }
    }

    void conclude_build(Job& job) {
        Subject& subject = *job.subject;
        std::string log = read_file_or(job.folder.path() / "log", "");
        if (job.killed || shell_status(*job.process->poll()) != 0) {
            subject.result.build_error =
                job.killed ? "the build did not end" : compiler_errors(log);
            for (TestResult& test : subject.result.tests) {
                test.verdict = "FAIL";
                test.message = "not run: the submission does not build";
            }
            return;
        }
        subject.places = places(log);
        // Slowest machines first.
        for (const char* machine :
             {"bochs-smp", "qemu-wall", "qemu-icount", "qemu-kvm", "host-asan", "host-tsan"}) {
            std::vector<std::string> tests;
            for (const TestResult& test : subject.result.tests) {
                if (test.rubric.machine == machine) tests.push_back(test.rubric.name);
            }
            queue_suite(subject, machine, tests);
        }
    }

    void queue_suite(Subject& subject, const std::string& machine,
                     const std::vector<std::string>& tests) {
        if (tests.empty()) return;
        auto job = std::make_unique<Job>();
        job->subject = &subject;
        job->machine = machine;
        job->tests = tests;
        subject.open_jobs++;
        queue_.push_back(std::move(job));
    }

    // A program that died takes one test with it; the others run again.
    void conclude_suite(Job& job) {
        Subject& subject = *job.subject;
        int status = shell_status(*job.process->poll());
        std::string log = read_file_or(job.folder.path() / "log", "");
        std::vector<std::string> left;
        for (const std::string& name : job.tests) {
            if (!job.done.contains(name) && name != job.current) left.push_back(name);
        }
        TestResult* victim = job.current.empty() ? nullptr : subject.find(job.current);
        if (victim != nullptr) {
            // On the host it is the unit that crashed, with a sanitizer's report; a booted
            // suite is ours.
            bool host = is_host(job.machine);
            victim->verdict = !host ? "INFRA" : job.killed ? "TIMEOUT" : "FAIL";
            victim->message = job.killed ? "no end after " +
                                               std::to_string(static_cast<int>(kHostTestLimit)) +
                                               " s\n"
                                         : sanitizer_report(log, status);
            show_test(*victim);
            queue_suite(subject, job.machine, left);
        } else if (!left.empty()) {
            for (const std::string& name : left) {
                TestResult* test = subject.find(name);
                test->message = "the suite program ended with status " + std::to_string(status) +
                                "\n" + last_lines(log, 10);
                show_test(*test);
            }
        }
    }

    static std::string sanitizer_report(const std::string& log, int status) {
        size_t start = std::min({log.find("ERROR: AddressSanitizer"),
                                 log.find("WARNING: ThreadSanitizer"), log.find("runtime error:"),
                                 log.find("panic: ")});
        if (start == log.npos) {
            return "ended with status " + std::to_string(status) + "\n" + last_lines(log, 10);
        }
        size_t line = log.rfind('\n', start);
        return log.substr(line == log.npos ? 0 : line + 1, 3000);
    }

    // ---- what people see meanwhile ----

    void say(const std::string& text) {
        if (progress_.show && terminal_) fprintf(stderr, "\r\x1b[K%s", text.c_str());
    }

    void clear_line() { say(""); }

    void show_line() {
        if (!progress_.show || !terminal_) return;
        std::string text;
        for (const auto& job : running_) {
            if (!text.empty()) text += "   ";
            text += job->machine == "build" ? "building " + job->subject->result.source
                                            : job->machine + " " + job->current;
        }
        size_t total = 0, ready = 0;
        for (const auto& subject : subjects_) total += subject->result.tests.size();
        ready = finished_tests_;
        say("[" + std::to_string(ready) + "/" + std::to_string(total) + "] " + text);
    }

    void show_test(const TestResult& test) {
        ++finished_tests_;
        if (!progress_.show || terminal_) return;
        fprintf(stderr, "%-8s %-12s %s (%.1f s)\n", test.verdict.c_str(),
                test.rubric.machine.c_str(), test.rubric.name.c_str(), test.seconds);
    }

    GradeProgress progress_;
    bool terminal_;
    std::vector<std::unique_ptr<Subject>> subjects_;
    std::deque<std::unique_ptr<Job>> queue_;
    std::vector<std::unique_ptr<Job>> running_;
    size_t finished_tests_ = 0;
};

}  // namespace

void forget_outer_make() {
    for (const char* name :
         {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "CMD", "PROFILE", "SAN", "LAB",
          "TEST", "SEED", "LAB_1", "LAB_2", "LAB_3", "LAB_4", "LAB_5", "LAB_6", "LAB_7"}) {
        unsetenv(name);
    }
}

CommandResult run_make(const std::vector<std::string>& arguments, double seconds) {
    return run_command(make_command(arguments), seconds);
}

std::vector<LabResult> grade_all(const std::vector<GradeRequest>& requests,
                                 const GradeProgress& progress) {
    return Grading(requests, progress).run();
}
