// mello rewind: a run that can be walked through in both directions.
//
// QEMU records the run (what reached the guest from outside, by instruction count) and a
// snapshot of its start. The replay executes the same instructions again, under gdb. To go
// back, gdb's reverse commands let QEMU begin at the snapshot and stop earlier than before;
// so `watch -l pointer`, `reverse-continue` leads from the value that made the kernel fall to
// the instruction that wrote it. One CPU, as record and replay need the one clock.
//
// The recording stays in build/rewind until the next one.
#include <cstdio>
#include <cstdlib>

#include "grader/cli/commands.h"
#include "grader/lib/guest.h"
#include "grader/lib/process.h"

namespace {

const fs::path kFolder = "build/rewind";

void make_snapshot_file(const fs::path& file) {
    CommandResult made = run_command({"qemu-img", "create", "-q", "-f", "qcow2", file, "1M"});
    if (made.status != 0)
        throw InfraError("qemu-img (package qemu-utils): " + std::string(trim(made.output)));
}

GuestResult record(const GuestSpec& spec) {
    fs::path folder = kFolder / "record";
    fs::create_directory(folder);
    GuestEvents events;
    events.on_stdout = [](std::string_view text) { fwrite(text.data(), 1, text.size(), stdout); };
    events.on_stderr = [](std::string_view text) { fwrite(text.data(), 1, text.size(), stderr); };
    std::unique_ptr<Machine> machine = make_machine(spec.machine, folder);
    GuestResult result = run_guest_on(*machine, spec, events);
    machine->kill();
    fflush(stdout);
    return result;
}

// Where the replay stops first: the end is more interesting than the start.
std::string last_stop(Outcome outcome) {
    switch (outcome) {
        case Outcome::Panic: return "hbreak begin_panic";
        case Outcome::Timeout:
        case Outcome::Reset: return "hbreak kmain";
        default: return "hbreak machine_power_off";
    }
}

}  // namespace

int rewind_run(const RunOptions& options) {
    if (options.machine.cpus != 1 || options.machine.emulator != MachineSpec::Emulator::Qemu)
        throw InfraError("a run is recorded on QEMU with one CPU: leave out SMP and EMU");
    fs::remove_all(kFolder);
    fs::create_directories(kFolder / "replay");
    make_snapshot_file(kFolder / "start.qcow2");
    GuestSpec spec;
    spec.machine = options.machine;
    spec.machine.accelerator = MachineSpec::Accelerator::Tcg;
    spec.machine.tape = MachineSpec::Tape::Record;
    spec.machine.tape_folder = kFolder;
    spec.command = options.command;
    spec.extra = options.extra;
    spec.limit = options.timeout;
    spec = prepare_guest(spec, kFolder);
    GuestResult result = record(spec);
    if (result.outcome == Outcome::Infra) throw InfraError(result.diagnosis);
    fprintf(stderr, "mello: recorded: %s\n%s", outcome_name(result.outcome),
            result.diagnosis.c_str());

    spec.machine.tape = MachineSpec::Tape::Replay;
    spec.machine.paused = true;
    fs::path folder = kFolder / "replay", socket = folder / "gdb";
    std::unique_ptr<Machine> machine = make_machine(spec.machine, folder);
    machine->start();
    for (int i = 0; i < 200 && !fs::exists(socket); ++i) sleep_seconds(0.05);
    fprintf(stderr, "mello: replaying to the end; then try: bt, reverse-step, "
                    "watch -l VARIABLE, reverse-continue\n");
    std::string gdb = "gdb -q -iex 'set auto-load local-gdbinit off' -x .gdbinit " + shell_quote(spec.machine.kernel.string()) +
                      " -ex 'target remote " + socket.string() + "' -ex '" +
                      last_stop(result.outcome) + "' -ex continue";
    if (!options.script.empty()) gdb += " -batch -x " + shell_quote(options.script.string());
    int status = system(gdb.c_str());
    machine->kill();
    return status == 0 ? 0 : 1;
}
