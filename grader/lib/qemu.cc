#include "grader/lib/qemu.h"

#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr int kExitPowerOff = 33;  // isa-debug-exit: status * 2 + 1 (kernel/arch/panic.h)
constexpr int kExitPanic = 35;
constexpr uint64_t kMaxChannelBytes = 256u << 20;

const char* kFirmwareCode = "/usr/share/OVMF/OVMF_CODE.fd";
const char* kFirmwareVariables = "/usr/share/OVMF/OVMF_VARS.fd";

using Words = std::vector<std::string>;

void add(Words& words, std::initializer_list<std::string> more) {
    words.insert(words.end(), more);
}

// Processor, clock and memory: what makes a run deterministic or fast.
Words processor(const MachineSpec& spec) {
    Words words = {"qemu-system-x86_64"};
    if (spec.tape != MachineSpec::Tape::None) {
        // The snapshot of the start is where QEMU begins anew to go one step back.
        const char* mode = spec.tape == MachineSpec::Tape::Record ? "record" : "replay";
        std::string folder = spec.tape_folder.string();
        // Without vapic=off QEMU 7.2 deadlocks when it loads that snapshot: the device calls
        // into the CPU's thread, which waits for the lock of the recording.
        add(words, {"-accel", "tcg", "-cpu", spec.cpu_model, "-icount",
                    std::string("shift=0,rr=") + mode + ",rrfile=" + folder +
                        "/events,rrsnapshot=start",
                    "-drive", "file=" + folder + "/start.qcow2,if=none,id=start",
                    "-global", "apic-common.vapic=off"});
    } else if (spec.accelerator == MachineSpec::Accelerator::Kvm) {
        add(words, {"-accel", "kvm", "-cpu", "host"});
    } else if (spec.clock == MachineSpec::Clock::Icount) {
        add(words, {"-accel", "tcg", "-icount", "shift=0,sleep=off", "-rtc",
                    "base=2026-01-01,clock=vm", "-seed", "1", "-cpu", spec.cpu_model});
    } else {
        add(words, {"-accel", "tcg,thread=multi", "-cpu", spec.cpu_model});
    }
    add(words, {"-smp", std::to_string(spec.cpus), "-m", std::to_string(spec.memory_mib),
                "-nic", "none", "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-no-reboot"});
    return words;
}

Words boot_from(const MachineSpec& spec, const fs::path& folder) {
    if (spec.boot == MachineSpec::BootPath::Pvh) {
        Words words = {"-kernel", spec.kernel};
        if (!spec.initramfs.empty()) add(words, {"-initrd", spec.initramfs});
        if (!spec.kernel_arguments.empty()) add(words, {"-append", spec.kernel_arguments});
        return words;
    }
    Words words = {"-cdrom", make_iso(spec, folder)};
    if (spec.boot == MachineSpec::BootPath::Uefi) {
        if (!fs::exists(kFirmwareCode)) throw InfraError("no UEFI firmware: package ovmf");
        fs::copy_file(kFirmwareVariables, folder / "vars.fd", fs::copy_options::overwrite_existing);
        add(words, {"-drive", std::string("if=pflash,format=raw,readonly=on,file=") + kFirmwareCode,
                    "-drive", "if=pflash,format=raw,file=" + (folder / "vars.fd").string()});
    }
    return words;
}

}  // namespace

QemuMachine::QemuMachine(const MachineSpec& spec, const fs::path& folder, bool trace)
    : spec_(spec), folder_(folder), trace_(trace) {}

void QemuMachine::start() {
    Words command = processor(spec_);
    Words boot = boot_from(spec_, folder_);
    command.insert(command.end(), boot.begin(), boot.end());
    add(command, {"-vga", "none", "-display", "none", "-sandbox", "on"});
    for (int i = 0; i < kChannels; ++i) {
        add(command, {"-serial", "file:" + channel(static_cast<Channel>(i)).string()});
    }
    add(command, {"-qmp", "unix:" + (folder_ / "qmp").string() + ",server=on,wait=off", "-gdb",
                  "unix:" + (folder_ / "gdb").string() + ",server=on,wait=off"});
    if (spec_.paused) add(command, {"-S"});
    if (trace_) add(command, {"-d", "int,cpu_reset", "-D", (folder_ / "trace").string()});
    ProcessOptions options;
    options.stdout_file = options.stderr_file = folder_ / "emulator";
    // Endless output must not fill the disk; it ends the emulator instead.
    options.max_file_bytes = kMaxChannelBytes;
    process_ = std::make_unique<Process>(command, options);
}

std::optional<Ending> QemuMachine::ending() {
    std::optional<int> status = process_->poll();
    if (!status) return {};
    if (!WIFEXITED(*status)) return Ending::Broken;
    switch (WEXITSTATUS(*status)) {
        case kExitPowerOff: return Ending::PowerOff;
        case kExitPanic: return Ending::Panic;
        case 0: return Ending::Reset;  // -no-reboot turns a reset into an exit
        default: return Ending::Broken;
    }
}

fs::path QemuMachine::channel(Channel channel) const {
    return folder_ / ("com" + std::to_string(static_cast<int>(channel) + 1));
}

double QemuMachine::progress_seconds() { return process_->served_seconds(); }

Inspector* QemuMachine::inspector() {
    if (!inspector_) {
        inspector_ =
            std::make_unique<Inspector>(folder_ / "qmp", folder_ / "gdb", spec_.cpus);
    }
    return inspector_.get();
}

std::string QemuMachine::diagnose(const Symbols& symbols) {
    return describe_cpus(*inspector(), symbols);
}

std::string QemuMachine::emulator_output() const {
    return read_file_or(folder_ / "emulator", "");
}

void QemuMachine::kill() {
    if (process_) process_->kill();
}

std::vector<std::string> qemu_interactive(const MachineSpec& spec, const fs::path& folder,
                                          bool wait_for_gdb) {
    Words command = processor(spec);
    Words boot = boot_from(spec, folder);
    command.insert(command.end(), boot.begin(), boot.end());
    if (getenv("DISPLAY") == nullptr) add(command, {"-vga", "none", "-display", "none"});
    // Ctrl-A X leaves, Ctrl-A C shows QEMU's monitor; Ctrl-C goes to the guest.
    add(command, {"-serial", "mon:stdio"});
    if (wait_for_gdb) {
        add(command, {"-S", "-gdb", "unix:" + (folder / "gdb").string() + ",server=on,wait=off"});
    }
    return command;
}

// ---- Why a machine was reset ----

namespace {

const char* exception_name(unsigned vector) {
    constexpr const char* kNames[] = {
        "divide error", "debug", "NMI", "breakpoint", "overflow", "bound", "invalid opcode",
        "no FPU", "double fault", "", "invalid TSS", "segment not present", "stack fault",
        "general protection fault", "page fault", "", "x87 error", "alignment check",
        "machine check", "SIMD error"};
    return vector < std::size(kNames) ? kNames[vector] : "exception";
}

// "... v=0e e=0002 i=0 cpl=0 IP=0008:ffffffff80101234 pc=... CR2=..." of `-d int`
std::string explain_line(const std::string& line, const Symbols& symbols) {
    unsigned vector = 0, error = 0, ring = 0;
    size_t v = line.find("v="), e = line.find("e="), c = line.find("cpl=");
    size_t ip = line.find("pc="), cr2 = line.find("CR2=");
    if (v == line.npos || ip == line.npos) return {};
    sscanf(line.c_str() + v, "v=%x", &vector);
    if (vector >= 32) return {};
    if (e != line.npos) sscanf(line.c_str() + e, "e=%x", &error);
    if (c != line.npos) sscanf(line.c_str() + c, "cpl=%u", &ring);
    uint64_t address = strtoull(line.c_str() + ip + 3, nullptr, 16);
    std::string text = std::string("  ") + exception_name(vector) + " (error code " + hex(error) +
                       ", ring " + std::to_string(ring) + ") at " + symbols.describe(address);
    if (vector == 14 && cr2 != line.npos) {
        text += ", address " + hex(strtoull(line.c_str() + cr2 + 4, nullptr, 16));
    }
    return text + "\n";
}

}  // namespace

std::string explain_reset(const fs::path& trace_folder, const Symbols& symbols) {
    std::string trace = read_file_or(trace_folder / "trace", "");
    bool triple = trace.find("Triple fault") != trace.npos;
    if (!triple) {
        return "The machine was reset, not by a triple fault: did the kernel ask for it? "
               "(The repetition with a trace shows none.)\n";
    }
    // The last exceptions before the reset, oldest first.
    std::vector<std::string> steps;
    for (const std::string& line : split(trace, '\n')) {
        if (line.find(" v=") == line.npos) continue;
        std::string step = explain_line(line, symbols);
        if (!step.empty()) steps.push_back(step);
        if (steps.size() > 4) steps.erase(steps.begin());
    }
    std::string text = "Triple fault: an exception could not be delivered. The last ones:\n";
    for (const std::string& step : steps) text += step;
    return text;
}

std::string probe_kvm() {
    const fs::path probe = "build/probe.elf";
    if (!fs::exists("/dev/kvm")) return "there is no /dev/kvm";
    if (!fs::exists(probe)) return "build/probe.elf is missing: make it first";
    TempDir folder("mello-kvm");
    MachineSpec spec;
    spec.accelerator = MachineSpec::Accelerator::Kvm;
    spec.kernel = probe;
    QemuMachine machine(spec, folder.path(), false);
    machine.start();
    double end = monotonic_seconds() + 5;
    while (monotonic_seconds() < end) {
        std::optional<Ending> ending = machine.ending();
        if (ending == Ending::PowerOff) return {};
        if (ending) return "the probe boot failed: " + last_lines(machine.emulator_output(), 2);
        sleep_seconds(0.01);
    }
    return "the probe boot did not come through in 5 seconds";
}
