#include "grader/lib/guest.h"

#include <cstdio>
#include <cstdlib>

#include "grader/lib/archive.h"
#include "grader/lib/symbols.h"

const char* outcome_name(Outcome outcome) {
    switch (outcome) {
        case Outcome::Exited: return "exited";
        case Outcome::Timeout: return "timeout";
        case Outcome::Panic: return "panic";
        case Outcome::Reset: return "reset";
        case Outcome::Vanished: return "powered off early";
        case Outcome::Infra: return "infrastructure";
    }
    return "?";
}

namespace {

constexpr double kPollSeconds = 0.01;
constexpr double kTraceLimit = 40;
constexpr size_t kConsoleLines = 25;

// Collects what the four channels print.
class Channels {
  public:
    Channels(Machine& machine, const std::string& mark, const GuestEvents& events,
             GuestResult& result)
        : machine_(machine), events_(events), result_(result),
          console_{machine.channel(Channel::Console), ""},
          out_{machine.channel(Channel::Stdout), mark},
          err_{machine.channel(Channel::Stderr), mark},
          control_(machine.channel(Channel::Control)) {}

    void collect() {
        pass(console_, result_.console, events_.on_console);
        pass(out_, result_.out, events_.on_stdout);
        pass(err_, result_.err, events_.on_stderr);
        partial_ += control_.read_new();
        for (size_t end; (end = partial_.find('\n')) != partial_.npos;) {
            std::string line(trim(partial_.substr(0, end)));
            partial_.erase(0, end + 1);
            result_.control.push_back(line);
            if (line.starts_with("exit ")) {
                exited_ = true;
                result_.status = atoi(line.c_str() + 5);
            }
            if (events_.on_control) events_.on_control(line, machine_);
        }
    }
    bool exited() const { return exited_; }

  private:
    // One text stream. With a mark, it begins behind the line that the mark is.
    struct Stream {
        Tail tail;
        std::string mark;
        std::string before;

        Stream(fs::path path, std::string mark_line)
            : tail(std::move(path)), mark(std::move(mark_line)) {}

        std::string read_new() {
            std::string text = tail.read_new();
            if (mark.empty()) return text;
            before += text;
            size_t at = before.find(mark + "\n");
            if (at == before.npos) return {};
            text = before.substr(at + mark.size() + 1);
            mark.clear();
            return text;
        }
    };

    static void pass(Stream& stream, std::string& all,
                     const std::function<void(std::string_view)>& event) {
        std::string text = stream.read_new();
        if (text.empty()) return;
        all += text;
        if (event) event(text);
    }

    Machine& machine_;
    const GuestEvents& events_;
    GuestResult& result_;
    Stream console_, out_, err_;
    Tail control_;
    std::string partial_;
    bool exited_ = false;
};

std::string console_tail(const GuestResult& result) {
    if (result.console.empty()) return "The kernel printed nothing on COM1.\n";
    return "The console's last lines:\n" +
           printable(last_lines(result.console, kConsoleLines)) + "\n";
}

// The lines "[<ffffffff80101234>] name+0x12" of the kernel's own backtrace, with file and
// line from the debug information.
std::string symbolized(const std::string& text, const Symbols& symbols) {
    std::string result;
    for (const std::string& line : split(text, '\n')) {
        size_t at = line.find("[<");
        if (at == line.npos) continue;
        uint64_t address = strtoull(line.c_str() + at + 2, nullptr, 16);
        result += "  " + symbols.describe(address - 1) + "\n";
    }
    return result.empty() ? result : "With file and line:\n" + result;
}

// What the kernel said from the panic on, and the addresses in it with file and line.
std::string panic_text(const GuestResult& result, const Symbols& symbols) {
    size_t start = result.console.find("\nPANIC");
    if (start == result.console.npos) return "kernel panic\n" + console_tail(result);
    std::string text = printable(std::string_view(result.console).substr(start + 1));
    return "kernel " + text + "\n" + symbolized(text, symbols);
}

}  // namespace

GuestResult run_guest_on(Machine& machine, const GuestSpec& spec, const GuestEvents& events) {
    GuestResult result;
    double begin = monotonic_seconds();
    double host_limit = spec.host_limit > 0 ? spec.host_limit : 4 * spec.limit;
    machine.start();
    if (spec.machine.paused && events.on_start) events.on_start(machine);
    Channels channels(machine, spec.mark, events, result);
    std::optional<Ending> ending;
    std::string stopped;
    for (;;) {
        // Asked before reading: what was written before the end must be seen.
        ending = machine.ending();
        channels.collect();
        result.host_seconds = monotonic_seconds() - begin;
        if (ending) break;
        result.guest_seconds = machine.progress_seconds();
        char text[120];
        if (result.guest_seconds > spec.limit) {
            snprintf(text, sizeof text, "no end after %.0f s of progress", spec.limit);
            stopped = text;
        } else if (result.host_seconds > host_limit) {
            snprintf(text, sizeof text, "no end after %.0f s of host time (%.0f s of progress)",
                     host_limit, result.guest_seconds);
            stopped = text;
        } else if (events.should_stop) {
            stopped = events.should_stop(result.guest_seconds);
        }
        if (!stopped.empty()) break;
        sleep_seconds(kPollSeconds);
    }
    Symbols symbols(spec.machine.kernel);
    if (!ending) {
        result.outcome = Outcome::Timeout;
        result.diagnosis = stopped + "\n";
        try {
            result.diagnosis += machine.diagnose(symbols);
        } catch (const InfraError& error) {
            result.diagnosis += std::string("no diagnosis: ") + error.what() + "\n";
        }
        machine.kill();
        channels.collect();
        result.diagnosis += console_tail(result);
        return result;
    }
    switch (*ending) {
        case Ending::PowerOff:
            result.outcome = channels.exited() ? Outcome::Exited : Outcome::Vanished;
            if (!channels.exited()) {
                result.diagnosis = "the guest powered off before the command ended\n" +
                                   console_tail(result);
            }
            break;
        case Ending::Panic:
            result.outcome = Outcome::Panic;
            result.diagnosis = panic_text(result, symbols);
            break;
        case Ending::Reset:
            result.outcome = Outcome::Reset;
            result.diagnosis = "the machine was reset\n" + console_tail(result);
            break;
        case Ending::Broken:
            result.outcome = Outcome::Infra;
            result.diagnosis = "the emulator ended by itself: " + machine.emulator_output();
            break;
    }
    return result;
}

namespace {

// UEFI firmware takes every serial port for a console and writes to COM2, too. There the
// command announces itself on stdout and stderr, and what came before is dropped. (Only
// there: elsewhere the guest runs the command and nothing else.)
std::string announced(const std::string& mark) {
    return "echo " + mark + "\necho " + mark + " >&2\nexec /bin/sh /run/mello/announced\n";
}

}  // namespace

GuestSpec prepare_guest(const GuestSpec& spec, const fs::path& folder) {
    GuestSpec prepared = spec;
    if (!spec.machine.initramfs.empty()) {
        Archive files;
        if (spec.machine.boot == MachineSpec::BootPath::Uefi) {
            prepared.mark = random_key();
            files.add_file("run/mello/cmd", announced(prepared.mark));
            files.add_file("run/mello/announced", spec.command);
        } else {
            files.add_file("run/mello/cmd", spec.command);
        }
        for (const auto& [name, content] : spec.files) {
            files.add_file("run/mello/" + name, content);
        }
        prepared.machine.initramfs = folder / "initramfs.cpio";
        write_initramfs(prepared.machine.initramfs, spec.machine.initramfs, spec.extra, files);
    }
    return prepared;
}

GuestResult run_guest(const GuestSpec& spec, const GuestEvents& events) {
    TempDir folder("mello-run");
    GuestSpec prepared = prepare_guest(spec, folder.path());
    std::unique_ptr<Machine> machine = make_machine(prepared.machine, folder.path());
    GuestResult result = run_guest_on(*machine, prepared, events);
    machine->kill();
    bool traceable = spec.machine.emulator == MachineSpec::Emulator::Qemu;
    if (result.outcome == Outcome::Reset && spec.explain && traceable) {
        fs::path trace = folder.path() / "again";
        fs::create_directory(trace);
        prepared.machine.paused = false;
        std::unique_ptr<Machine> again = make_machine(prepared.machine, trace, true);
        GuestSpec limited = prepared;
        limited.limit = kTraceLimit;
        run_guest_on(*again, limited, {});
        again->kill();
        result.diagnosis += explain_reset(trace, Symbols(spec.machine.kernel));
    }
    return result;
}
