// mello run, boot and debug: one boot of the kernel for a person or a script.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "grader/cli/commands.h"
#include "grader/lib/guest.h"
#include "grader/lib/process.h"

namespace {

void write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        ssize_t written = write(fd, text.data(), text.size());
        if (written <= 0) return;
        text.remove_prefix(static_cast<size_t>(written));
    }
}

void record(const fs::path& folder, const GuestResult& result) {
    fs::create_directories(folder);
    write_file(folder / "console", result.console);
    write_file(folder / "stdout", result.out);
    write_file(folder / "stderr", result.err);
    write_file(folder / "control", join(result.control, "\n") + "\n");
    write_file(folder / "summary", std::string(outcome_name(result.outcome)) + " " +
                                       std::to_string(result.status) + "\n" +
                                       result.diagnosis);
}

// Falls back to TCG, and says so, where KVM does not get a probe image through its boot.
MachineSpec usable(MachineSpec spec) {
    if (spec.accelerator != MachineSpec::Accelerator::Kvm) return spec;
    std::string trouble = probe_kvm();
    if (!trouble.empty()) {
        fprintf(stderr, "mello: no KVM (%s), using TCG\n", split(trim(trouble), '\n')[0].c_str());
        spec.accelerator = MachineSpec::Accelerator::Tcg;
    }
    return spec;
}

int exit_status(const GuestResult& result) {
    switch (result.outcome) {
        case Outcome::Exited: return result.status;
        case Outcome::Timeout: return kExitTimeout;
        case Outcome::Infra: return kExitInfra;
        default: return kExitCrashed;
    }
}

}  // namespace

int run_in_guest(const RunOptions& options) {
    GuestSpec spec;
    spec.machine = usable(options.machine);
    spec.command = options.command;
    spec.extra = options.extra;
    spec.limit = options.timeout;
    GuestEvents events;
    events.on_stdout = [](std::string_view text) { write_all(1, text); };
    events.on_stderr = [](std::string_view text) { write_all(2, text); };
    GuestResult result = run_guest(spec, events);
    if (!options.record.empty()) record(options.record, result);
    if (result.outcome != Outcome::Exited) {
        write_all(2, "mello: " + std::string(outcome_name(result.outcome)) + ": " +
                         result.diagnosis);
    }
    return exit_status(result);
}

int boot_interactively(const RunOptions& options) {
    TempDir folder("mello-boot");
    MachineSpec spec = usable(options.machine);
    std::vector<std::string> command = interactive_command(spec, folder.path(), false);
    ProcessOptions process;
    process.stdin_file.clear();
    bool bochs = spec.emulator == MachineSpec::Emulator::Bochs;
    if (!bochs) {
        fprintf(stderr, "mello: Ctrl-A X leaves QEMU, Ctrl-A C shows its monitor\n");
        // In the terminal's foreground group, so that it may read the keyboard.
        std::string line;
        for (const std::string& word : command) line += shell_quote(word) + " ";
        int status = system(line.c_str());
        return status == -1 ? kExitInfra : 0;
    }
    bool headless = getenv("DISPLAY") == nullptr;
    process.stdin_pipe = true;
    process.stdout_file = process.stderr_file = folder.path() / "emulator";
    if (headless) {
        process.environment["SDL_VIDEODRIVER"] = "dummy";
        fprintf(stderr, "mello: no DISPLAY, so Bochs runs without its window; "
                        "COM1 follows (Ctrl-C leaves)\n");
    }
    Process emulator(command, process);
    Tail console(folder.path() / "com1");
    while (!emulator.poll()) {
        write_all(1, console.read_new());
        sleep_seconds(0.05);
    }
    write_all(1, console.read_new());
    return 0;
}

int debug_with_gdb(const RunOptions& options) {
    TempDir folder("mello-debug");
    std::vector<std::string> command = interactive_command(options.machine, folder.path(), true);
    // gdb owns the terminal, so the guest's console goes to a file.
    for (std::string& word : command) {
        if (word == "mon:stdio") word = "file:build/debug-console.log";
    }
    ProcessOptions process;
    process.stdout_file = process.stderr_file = folder.path() / "emulator";
    Process emulator(command, process);
    fprintf(stderr, "mello: the console goes to build/debug-console.log\n");
    for (int i = 0; i < 100 && !fs::exists(folder.path() / "gdb"); ++i) sleep_seconds(0.05);
    std::string gdb = "gdb -q -iex 'set auto-load local-gdbinit off' -x .gdbinit " + shell_quote(options.machine.kernel.string()) +
                      " -ex 'target remote " + (folder.path() / "gdb").string() + "'";
    return system(gdb.c_str()) == 0 ? 0 : 1;
}
