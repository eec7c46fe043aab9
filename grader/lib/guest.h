// One boot of the kernel that runs one command: what `mello run` and every booted test do.
#pragma once
#include <functional>
#include <map>
#include <string>

#include "grader/lib/machine.h"

struct GuestSpec {
    MachineSpec machine;
    // Runs in the guest's /bin/sh, exactly as it stands here.
    std::string command;
    // Further files for the guest, below /run/mello: "key", "data/numbers".
    std::map<std::string, std::string> files;
    fs::path extra;  // a folder laid over the initramfs
    // Limits, in seconds: of progress that the guest was given, which a loaded host does not
    // use up, and of host time, which ends everything. host_limit 0: four times the limit.
    double limit = 120;
    double host_limit = 0;
    bool explain = true;  // repeat a reset with a trace to explain it
    std::string mark;     // set by run_guest: the line after which the command's output begins
};

enum class Outcome {
    Exited,     // the command ended; status holds how
    Timeout,    // it did not, in time
    Panic,
    Reset,      // triple fault, or a reboot
    Vanished,   // powered off in good order, but the command never ended
    Infra,      // the emulator failed
};
const char* outcome_name(Outcome outcome);

struct GuestResult {
    Outcome outcome = Outcome::Infra;
    int status = 0;
    std::string console, out, err;
    std::vector<std::string> control;  // lines of the control channel
    std::string diagnosis;             // for every outcome but Exited
    double host_seconds = 0;
    double guest_seconds = 0;          // progress it was given
};

struct GuestEvents {
    std::function<void(std::string_view)> on_stdout, on_stderr, on_console;
    // Before the first instruction, when machine.paused is set; must let the machine go on.
    std::function<void(Machine& machine)> on_start;
    // A line of the control channel; the machine runs on meanwhile.
    std::function<void(const std::string& line, Machine& machine)> on_control;
    // Asked some 50 times a second; a text ends the run as a timeout with that reason.
    std::function<std::string(double progress)> should_stop;
};

GuestResult run_guest(const GuestSpec& spec, const GuestEvents& events = {});
// The first half of it: writes the initramfs with the command and the files into `folder`;
// the result names it.
GuestSpec prepare_guest(const GuestSpec& spec, const fs::path& folder);
// The same on a machine that exists already (not started): for the fake one.
GuestResult run_guest_on(Machine& machine, const GuestSpec& spec, const GuestEvents& events);
