#include "grader/lib/bochs.h"

#include <signal.h>

#include <cstdlib>
#include <cstring>

#include "grader/lib/symbols.h"

namespace {

// Slow on purpose: BIOS and GRUB wait in simulated time, so fewer instructions a second mean
// a faster boot (EMULATORS.md). Verdicts use TSC ticks, which do not depend on it.
constexpr int kInstructionsPerSecond = 5000000;
constexpr uint64_t kMaxFileBytes = 256u << 20;

std::string first_existing(std::initializer_list<const char*> paths) {
    for (const char* path : paths) {
        if (fs::exists(path)) return path;
    }
    throw InfraError(std::string("Bochs' BIOS is missing: ") + *paths.begin());
}

fs::path write_configuration(const MachineSpec& spec, const fs::path& folder, bool window) {
    std::string bios = first_existing(
        {"/usr/share/bochs/BIOS-bochs-latest", "/usr/share/bochs/BIOS-bochs-legacy"});
    std::string video = first_existing(
        {"/usr/share/bochs/VGABIOS-lgpl-latest", "/usr/share/vgabios/vgabios.bin"});
    std::string text;
    auto line = [&text](const std::string& one) { text += one + "\n"; };
    line("display_library: sdl2");
    line("cpu: model=corei7_skylake_x, count=" + std::to_string(spec.cpus) +
         ", ips=" + std::to_string(kInstructionsPerSecond) + ", reset_on_triple_fault=0");
    line("memory: guest=" + std::to_string(spec.memory_mib) +
         ", host=" + std::to_string(spec.memory_mib));
    line("romimage: file=" + bios);
    line("vgaromimage: file=" + video);
    line("clock: sync=none, time0=1767225600");
    line("ata0-master: type=cdrom, path=" + make_iso(spec, folder).string() + ", status=inserted");
    line("boot: cdrom");
    for (int port = 1; port <= kChannels; ++port) {
        line("com" + std::to_string(port) + ": enabled=1, mode=file, dev=" +
             (folder / ("com" + std::to_string(port))).string());
    }
    line("log: " + (folder / "bochs.log").string());
    line("panic: action=fatal");
    line("error: action=report");
    line("info: action=ignore");
    line("debug: action=ignore");
    line("speaker: enabled=0");
    line("sound: waveoutdrv=dummy");
    line("private_colormap: enabled=0");
    if (!window) line("mouse: enabled=0");
    fs::path file = folder / "bochsrc";
    write_file(file, text);
    write_file(folder / "commands", "c\n");
    return file;
}

std::vector<std::string> command_line(const MachineSpec& spec, const fs::path& folder,
                                      bool window) {
    fs::path configuration = write_configuration(spec, folder, window);
    return {"bochs", "-q", "-f", configuration, "-rc", folder / "commands"};
}

}  // namespace

BochsMachine::BochsMachine(const MachineSpec& spec, const fs::path& folder)
    : spec_(spec), folder_(folder) {}

void BochsMachine::start() {
    ProcessOptions options;
    options.stdout_file = options.stderr_file = folder_ / "emulator";
    options.environment = {{"SDL_VIDEODRIVER", "dummy"}, {"SDL_AUDIODRIVER", "dummy"}};
    options.stdin_pipe = true;
    options.max_file_bytes = kMaxFileBytes;
    process_ = std::make_unique<Process>(command_line(spec_, folder_, false), options);
}

// Bochs has no exit status; the kernel's console says what happened (kernel/arch/panic.h).
std::optional<Ending> BochsMachine::ending() {
    if (!process_->poll()) return {};
    std::string console = read_file_or(channel(Channel::Console), "");
    if (console.find("\nPANIC") != console.npos) return Ending::Panic;
    std::string said = emulator_output();
    if (said.find("shutdown requested") != said.npos) return Ending::PowerOff;
    return said.find("exception") != said.npos ? Ending::Reset : Ending::Broken;
}

fs::path BochsMachine::channel(Channel channel) const {
    return folder_ / ("com" + std::to_string(static_cast<int>(channel) + 1));
}

double BochsMachine::progress_seconds() { return process_->served_seconds(); }

// Interrupts Bochs into its debugger and asks each CPU where it is.
std::string BochsMachine::diagnose(const Symbols& symbols) {
    Tail output(folder_ / "emulator");
    output.read_new();
    process_->signal(SIGINT);
    std::string text;
    for (int cpu = 0; cpu < spec_.cpus; ++cpu) {
        process_->send("set $cpu=" + std::to_string(cpu) + "\n");
        process_->send("r\n");
    }
    double end = monotonic_seconds() + 5;
    std::string printed;
    while (monotonic_seconds() < end) {
        printed += output.read_new();
        sleep_seconds(0.05);
    }
    for (const std::string& line : split(printed, '\n')) {
        size_t at = line.find("rip: ");
        if (at == line.npos) continue;
        std::string digits = line.substr(at + 5);
        std::erase(digits, '_');
        text += "  at " + symbols.describe(strtoull(digits.c_str(), nullptr, 16)) + "\n";
    }
    return text.empty() ? "  Bochs' debugger does not answer\n" : text;
}

std::string BochsMachine::emulator_output() const {
    return last_lines(read_file_or(folder_ / "emulator", ""), 20) + "\n" +
           last_lines(read_file_or(folder_ / "bochs.log", ""), 20);
}

void BochsMachine::kill() {
    if (process_) process_->kill();
}

std::vector<std::string> bochs_interactive(const MachineSpec& spec, const fs::path& folder) {
    return command_line(spec, folder, true);
}
