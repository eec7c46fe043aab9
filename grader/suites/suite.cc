#include "grader/suites/suite.h"

#include <cstdio>
#include <cstdlib>
#include <optional>

#include "grader/lib/symbols.h"

namespace {

// Seconds of progress until the first program starts; measured: 0.4, 6 and 8 to 27.
constexpr double kBootLimit = 12, kFirmwareBootLimit = 40, kBochsBootLimit = 100;
constexpr size_t kShownLines = 12;

// ---- what the grader passes in ----

std::string setting(const char* name, const char* otherwise) {
    const char* value = getenv(name);
    return value != nullptr ? value : otherwise;
}

uint64_t seed() {
    static const uint64_t value = strtoull(setting("MELLO_SEED", "1").c_str(), nullptr, 0);
    return value;
}

// How much slower this host is than the one the limits were set on; at least 1. Measured in
// CPU time, so that load does not count twice.
double slowness() {
    static const double factor = [] {
        constexpr double kReferenceSeconds = 0.03;
        timespec before, after;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
        Sequence sequence(1);
        uint64_t sum = 0;
        for (int i = 0; i < 10000000; ++i) sum += sequence.next();
        asm volatile("" : : "r"(sum));
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
        double spent = static_cast<double>(after.tv_sec - before.tv_sec) +
                       static_cast<double>(after.tv_nsec - before.tv_nsec) * 1e-9;
        return std::max(1.0, spent / kReferenceSeconds);
    }();
    return factor;
}

// ---- the programs and their boots ----

struct Run {
    GuestProgram program;
    std::vector<std::string> tests;  // that use it
    std::optional<Guest> guest;
};

std::vector<Run>& runs() {
    static std::vector<Run> all;
    return all;
}

bool same_run(const GuestProgram& a, const GuestProgram& b) {
    return a.run == b.run && a.data == b.data && !a.alone && !b.alone;
}

bool same_boot(const GuestProgram& a, const GuestProgram& b) {
    return a.machine == b.machine && a.cpus == b.cpus && a.cpu_model == b.cpu_model &&
           a.memory_mib == b.memory_mib && a.boot == b.boot &&
           a.kernel_arguments == b.kernel_arguments && a.at_reset == b.at_reset && !a.alone && !b.alone;
}

bool selected(const Run& run) {
    const testing::UnitTest& all = *testing::UnitTest::GetInstance();
    for (int s = 0; s < all.total_test_suite_count(); ++s) {
        const testing::TestSuite& suite = *all.GetTestSuite(s);
        for (int t = 0; t < suite.total_test_count(); ++t) {
            const testing::TestInfo& test = *suite.GetTestInfo(t);
            std::string name = std::string(suite.name()) + "." + test.name();
            for (const std::string& user : run.tests) {
                if (user == name && test.should_run()) return true;
            }
        }
    }
    return false;
}

Run& run_of(const std::string& test) {
    for (Run& run : runs()) {
        for (const std::string& user : run.tests) {
            if (user == test) return run;
        }
    }
    throw InfraError(test + " is not a GUEST_TEST");
}

// The shell script of a boot. Markers go to the control channel and to stdout and stderr, to
// tell what belongs to which program.
std::string script(const std::vector<Run*>& batch) {
    std::string text = "read key </run/mello/key\n";
    for (size_t i = 0; i < batch.size(); ++i) {
        std::string number = std::to_string(i);
        text += "echo \"$key begin " + number + "\"\necho \"$key begin " + number + "\" >&2\n" +
                "echo \"$key begin " + number + "\" >/dev/ttyS3\n" + batch[i]->program.run +
                "\necho \"$key end " + number + " $?\" >/dev/ttyS3\n";
    }
    return text;
}

// The part of an output stream that belongs to program `number`.
std::string part(const std::string& all, const std::string& key, size_t number) {
    std::string marker = key + " begin " + std::to_string(number) + "\n";
    std::string clean;
    for (char c : all) {
        if (c != '\r') clean += c;
    }
    size_t start = clean.find(marker);
    if (start == clean.npos) return {};
    start += marker.size();
    size_t end = clean.find(key + " begin " + std::to_string(number + 1) + "\n", start);
    return clean.substr(start, end == clean.npos ? end : end - start);
}

// Follows one boot of a batch through its control channel.
class Boot {
  public:
    explicit Boot(std::vector<Run*> batch)
        : batch_(std::move(batch)), guests_(batch_.size()), key_(random_key()),
          symbols_(kernel_under_test()) {}

    void run() {
        const GuestProgram& first = batch_[0]->program;
        GuestSpec spec;
        set_machine(spec.machine, first.machine);
        spec.machine.cpus = first.cpus;
        spec.machine.cpu_model = first.cpu_model;
        spec.machine.memory_mib = first.memory_mib;
        spec.machine.boot = first.boot;
        spec.machine.kernel_arguments = first.kernel_arguments;
        spec.machine.kernel = kernel_under_test();
        spec.machine.initramfs = setting("MELLO_INITRAMFS", "build/initramfs.cpio");
        spec.command = script(batch_);
        spec.files["key"] = key_ + "\n";
        double limit = boot_limit();
        for (const Run* run : batch_) {
            for (const auto& [name, content] : run->program.data) {
                spec.files["data/" + name] = content;
            }
            limit += run->program.limit;
        }
        spec.limit = limit * slowness();
        GuestEvents events;
        events.on_control = [this](const std::string& line, Machine& machine) {
            control(line, machine);
        };
        if (first.at_reset != nullptr) {
            spec.machine.paused = true;
            events.on_start = [this](Machine& machine) { at_reset(machine); };
        }
        events.should_stop = [this](double progress) { return overdue(progress); };
        GuestResult result = run_guest(spec, events);
        finish(result);
    }

  private:
    double boot_limit() const {
        const GuestProgram& program = batch_[0]->program;
        if (program.machine == "bochs-smp") return kBochsBootLimit;
        return program.boot == MachineSpec::BootPath::Pvh ? kBootLimit : kFirmwareBootLimit;
    }

    void control(const std::string& line, Machine& machine) {
        std::vector<std::string> words = split(line, ' ');
        if (words.size() < 3 || words[0] != key_) return;
        const std::string& name = words[1];
        if (name == "begin") {
            current_ = strtoul(words[2].c_str(), nullptr, 10);
            started_ = true;
            began_ = progress_;
            return;
        }
        if (!started_ || current_ >= batch_.size()) return;
        Guest& guest = guests_[current_];
        if (name == "end") {
            guest.outcome = Outcome::Exited;
            guest.status = words.size() > 3 ? atoi(words[3].c_str()) : -1;
            ended_ = current_ + 1;
            began_ = progress_;
            return;
        }
        guest.reports.emplace_back(name, line.substr(key_.size() + 1 + name.size() + 1));
        if (name == "inspect") inspect(strtoull(words[2].c_str(), nullptr, 0), machine, guest);
    }

    void at_reset(Machine& machine) {
        Inspector* inspector = machine.inspector();
        if (inspector == nullptr) throw InfraError("at_reset is for QEMU only");
        std::map<std::string, uint64_t> numbers;
        std::map<std::string, std::string> texts;
        Inspection inspection{*inspector, {}, 0, symbols_, numbers, texts};
        try {
            batch_[0]->program.at_reset(inspection);
            inspector->resume();
        } catch (const InfraError& error) {
            // The machine may have ended meanwhile, as the kernel's doing.
            texts["at_reset"] = error.what();
        }
        for (Guest& guest : guests_) {
            guest.seen_numbers = numbers;
            guest.seen_texts = texts;
        }
    }

    // The program spins at wait_for_host(): look, then let it go on. It may have lost its CPU
    // to another at that moment, then the machine runs on for a little.
    void inspect(uint64_t flag, Machine& machine, Guest& guest) {
        constexpr int kTries = 500;
        Inspector* inspector = machine.inspector();
        if (inspector == nullptr) return;
        attempt(guest, [&] {
            for (int i = 0; i < kTries; ++i) {
                std::optional<CpuState> cpu = waiting_cpu(*inspector, flag);
                if (cpu) return look(*inspector, *cpu, flag, guest);
                inspector->resume();
                sleep_seconds(0.005);
            }
            throw InfraError("no CPU was seen running the program that waits for the host");
        });
        attempt(guest, [&] { inspector->resume(); });
    }

    static std::optional<CpuState> waiting_cpu(Inspector& inspector, uint64_t flag) {
        constexpr uint64_t kWaiting = 0x6d656c6c6f776169;
        for (const CpuState& cpu : inspector.cpus()) {
            uint64_t value = 0;
            if (inspector.read_space(cpu.cr3, flag, &value, 8) && value == kWaiting) return cpu;
        }
        return {};
    }

    void look(Inspector& inspector, const CpuState& cpu, uint64_t flag, Guest& guest) {
        Inspection inspection{inspector,          cpu, flag, symbols_, guest.seen_numbers,
                              guest.seen_texts};
        const auto& program = batch_[current_]->program;
        attempt(guest, [&] {
            if (program.inspect) program.inspect(inspection);
        });
        uint64_t go = 1;
        inspector.write_space(cpu.cr3, flag, &go, 8);
    }

    // The kernel may bring the machine down while we look; its end is then the verdict.
    template <typename Step>
    static void attempt(Guest& guest, const Step& step) {
        try {
            step();
        } catch (const InfraError& error) {
            guest.seen_texts.try_emplace("error", error.what());
        }
    }

    std::string overdue(double progress) {
        progress_ = progress;
        double limit = started_ && current_ < batch_.size() ? batch_[current_]->program.limit
                                                            : boot_limit();
        if (progress - began_ <= limit * slowness()) return {};
        std::string what = started_ ? batch_[current_]->program.run : "the boot";
        return what + " did not end in " + std::to_string(static_cast<int>(limit * slowness())) +
               " s of progress";
    }

    void finish(const GuestResult& result) {
        // Programs that ended keep their results; the one that did not, or all of them when
        // the machine never came to the first, take the machine's end as theirs.
        for (size_t i = 0; i < batch_.size(); ++i) {
            bool done = i < ended_;
            bool culprit = started_ ? i == current_ && !done : true;
            if (!done && !culprit) continue;
            Guest& guest = guests_[i];
            if (!done) {
                guest.outcome = result.outcome == Outcome::Exited ? Outcome::Vanished
                                                                  : result.outcome;
                guest.diagnosis = (started_ ? "" : "The kernel did not get as far as the first "
                                                   "program.\n") +
                                  result.diagnosis;
                if (result.outcome == Outcome::Exited) {
                    guest.diagnosis += "The shell ended before the program did.\n" +
                                       printable(last_lines(result.err, kShownLines)) + "\n";
                }
            }
            guest.out = part(result.out, key_, i);
            guest.err = part(result.err, key_, i);
            guest.console = result.console;
            batch_[i]->guest = std::move(guest);
        }
        // The machine ended well, but some program after the last one seen never began.
        if (!started_ || result.outcome != Outcome::Exited) return;
        for (Run* run : batch_) {
            if (run->guest) continue;
            run->guest.emplace();
            run->guest->outcome = Outcome::Vanished;
            run->guest->diagnosis = "the guest's shell ended before this program began\n" +
                                    printable(last_lines(result.err, kShownLines)) + "\n";
        }
    }

    std::vector<Run*> batch_;
    std::vector<Guest> guests_;
    std::string key_;
    Symbols symbols_;
    bool started_ = false;
    size_t current_ = 0;
    size_t ended_ = 0;  // programs before this number came to their end
    double progress_ = 0, began_ = 0;
};

std::string current_test() {
    const testing::TestInfo* test = testing::UnitTest::GetInstance()->current_test_info();
    return std::string(test->test_suite_name()) + "." + test->name();
}

const Guest& finished_guest() {
    Run& wanted = run_of(current_test());
    if (!wanted.guest) {
        std::vector<Run*> batch = {&wanted};
        for (Run& run : runs()) {
            if (&run != &wanted && !run.guest && same_boot(run.program, wanted.program) &&
                selected(run)) {
                batch.push_back(&run);
            }
        }
        try {
            Boot(batch).run();
        } catch (const InfraError& error) {
            stop_test("INFRA", error.what());
        }
    }
    testing::Test::RecordProperty("machine", wanted.program.machine);
    testing::Test::RecordProperty("seed", std::to_string(seed()));
    if (wanted.guest->outcome == Outcome::Infra) stop_test("INFRA", wanted.guest->diagnosis);
    return *wanted.guest;
}

[[noreturn]] void fail_test(const std::string& reason) { stop_test("FAIL", reason); }

}  // namespace

GuestRegistration::GuestRegistration(const char* suite, const char* name,
                                     GuestProgram program) {
    std::string test = std::string(suite) + "." + name;
    for (Run& run : runs()) {
        if (same_run(run.program, program) && same_boot(run.program, program)) {
            run.tests.push_back(test);
            if (!run.program.inspect) run.program.inspect = program.inspect;
            run.program.limit = std::max(run.program.limit, program.limit);
            return;
        }
    }
    runs().push_back({std::move(program), {test}, {}});
}

const Guest& guest_of_current_test() {
    const Guest& guest = finished_guest();
    if (guest.outcome == Outcome::Timeout) stop_test("TIMEOUT", guest.diagnosis);
    if (guest.outcome != Outcome::Exited) fail_test(guest.diagnosis);
    auto error = guest.seen_texts.find("error");
    if (error != guest.seen_texts.end()) fail_test("looking into the machine: " + error->second);
    return guest;
}

const Guest& crashed_guest_of_current_test() { return finished_guest(); }

void stop_test(const char* verdict, const std::string& reason) {
    testing::Test::RecordProperty("verdict", verdict);
    ADD_FAILURE() << reason;
    throw testing::AssertionException(
        testing::TestPartResult(testing::TestPartResult::kFatalFailure, nullptr, 0, ""));
}

void figure(double value, const std::string& unit) {
    char text[40];
    snprintf(text, sizeof text, "%.4f", value);
    testing::Test::RecordProperty("figure", text);
    if (!unit.empty()) testing::Test::RecordProperty("unit", unit);
}

fs::path kernel_under_test() { return setting("MELLO_KERNEL", "build/mello.elf"); }

// ---- Guest ----

std::string Guest::text(const std::string& name) const {
    for (const auto& [reported_name, value] : reports) {
        if (reported_name == name) return value;
    }
    fail_test("the program ended with status " + std::to_string(status) +
              " and did not report \"" + name + "\"\n" + printable(last_lines(out, kShownLines)) +
              "\n" + printable(last_lines(err, kShownLines)));
}

uint64_t Guest::number(const std::string& name) const {
    return strtoull(text(name).c_str(), nullptr, 0);
}

GuestFigure Guest::figure(const std::string& name) const {
    GuestFigure result{};
    std::string value = text(name);
    int got = sscanf(value.c_str(), "%lf %lf %lf %lf %lf %d", &result.median, &result.smallest,
                     &result.largest, &result.p95, &result.deviation, &result.repetitions);
    if (got != 6) fail_test("\"" + name + "\" is not a figure: " + value);
    return result;
}

std::vector<std::string> Guest::all(const std::string& name) const {
    std::vector<std::string> values;
    for (const auto& [reported_name, value] : reports) {
        if (reported_name == name) values.push_back(value);
    }
    return values;
}

bool Guest::reported(const std::string& name) const { return !all(name).empty(); }

uint64_t Guest::seen(const std::string& name) const {
    auto found = seen_numbers.find(name);
    if (found == seen_numbers.end()) fail_test("the host did not get to see \"" + name + "\"");
    return found->second;
}

std::string Guest::seen_text(const std::string& name) const {
    auto found = seen_texts.find(name);
    if (found == seen_texts.end()) fail_test("the host did not get to see \"" + name + "\"");
    return found->second;
}

void Guest::expect_checks(const std::string& group) const {
    for (const std::string& failure : all("fail")) {
        bool ours = group.empty() || failure.starts_with(group + ".") ||
                    failure.starts_with(group + ":");
        if (ours) ADD_FAILURE() << failure;
    }
    if (!reported("checks")) {
        ADD_FAILURE() << "the program did not come to its end (status " << status << ")\n"
                      << printable(last_lines(out, kShownLines)) << "\n"
                      << printable(last_lines(err, kShownLines));
    }
}

// ---- data that both sides can make ----

uint64_t Sequence::next() {
    state_ += 0x9e3779b97f4a7c15;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

std::string Sequence::bytes(size_t size) {
    std::string result(size, 0);
    for (char& byte : result) byte = static_cast<char>(next() >> 24);
    return result;
}

uint64_t hash_of(std::string_view bytes) {
    uint64_t hash = 0xcbf29ce484222325;
    for (char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
    return hash;
}

uint64_t chosen(const std::string& name, uint64_t low, uint64_t high) {
    Sequence sequence(seed() ^ hash_of(name));
    return low + sequence.below(high - low + 1);
}
