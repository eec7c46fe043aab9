// A machine that can boot the kernel: QEMU, Bochs, or a scripted fake for the grader's own
// tests, behind one interface.
//
// The guest talks to the host through four serial ports, each written to a file by the
// emulator and read by the host as it grows. A file, since nothing the host does then
// reaches the guest: a pipe or socket with a slow reader would change its timing.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "grader/lib/util.h"

enum class Channel {
    Console,  // COM1: kernel log and console
    Stdout,   // COM2: what the command prints
    Stderr,   // COM3
    Control,  // COM4: exit status of the command, results of test programs
};
inline constexpr int kChannels = 4;

struct MachineSpec {
    enum class Emulator { Qemu, Bochs };
    enum class Clock { Wall, Icount };
    enum class BootPath { Pvh, Grub, Uefi };
    enum class Accelerator { Tcg, Kvm };
    // QEMU's recording of a run (the clock is the icount one then), and its replay: the
    // same instructions in the same order, which gdb can also step backwards.
    enum class Tape { None, Record, Replay };

    Emulator emulator = Emulator::Qemu;
    Clock clock = Clock::Wall;
    BootPath boot = BootPath::Pvh;
    Accelerator accelerator = Accelerator::Tcg;
    int cpus = 1;
    int memory_mib = 256;
    std::string cpu_model = "max";  // QEMU's -cpu
    std::string kernel_arguments;   // the kernel's command line
    bool paused = false;            // stand still before the first instruction (QEMU)
    Tape tape = Tape::None;
    fs::path tape_folder;           // where the recording is: `events`, `start.qcow2`
    fs::path kernel;
    fs::path initramfs;
    // What the scorecard calls it: qemu-wall, qemu-icount, bochs-smp, qemu-kvm.
    std::string name() const;
};
// Fills emulator, clock and accelerator from such a name; InfraError for an unknown one.
void set_machine(MachineSpec& spec, std::string_view name);

// How a machine came to its end.
enum class Ending {
    PowerOff,  // by the kernel, in good order
    Panic,     // the kernel said so
    Reset,     // a triple fault, or a reboot that the kernel asked for
    Broken,    // the emulator failed or was killed from outside
};

class Symbols;
class Inspector;

class Machine {
  public:
    virtual ~Machine() = default;
    virtual void start() = 0;
    // Nothing while it runs.
    virtual std::optional<Ending> ending() = 0;
    virtual fs::path channel(Channel channel) const = 0;
    // Seconds of progress that the guest was given: wall-clock time less what the host kept
    // from it (Process::served_seconds).
    virtual double progress_seconds() = 0;
    // What the CPUs are doing now, in words for a person; stops the machine for a moment.
    virtual std::string diagnose(const Symbols& symbols) = 0;
    // Looks into the stopped machine; nullptr where there is no way in.
    virtual Inspector* inspector() { return nullptr; }
    // What the emulator itself printed.
    virtual std::string emulator_output() const { return {}; }
    virtual void kill() = 0;
};

// `folder` receives the channel files, sockets and logs. With `trace` the machine records
// exceptions for explain_reset (QEMU only, slow).
std::unique_ptr<Machine> make_machine(const MachineSpec& spec, const fs::path& folder,
                                      bool trace = false);
// The tail of a trace, decoded: which exceptions led to the reset, where.
std::string explain_reset(const fs::path& trace_folder, const Symbols& symbols);

// The command line to use for an interactive session on this terminal.
std::vector<std::string> interactive_command(const MachineSpec& spec, const fs::path& folder,
                                             bool wait_for_gdb);
// A word on why KVM cannot be used, empty when a probe boot worked.
std::string probe_kvm();
// A bootable image for `spec` in `folder` (GRUB, about a second).
fs::path make_iso(const MachineSpec& spec, const fs::path& folder);
