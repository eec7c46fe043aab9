#include "grader/lib/machine.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "grader/lib/bochs.h"
#include "grader/lib/process.h"
#include "grader/lib/qemu.h"

std::string MachineSpec::name() const {
    if (emulator == Emulator::Bochs) return "bochs-smp";
    if (accelerator == Accelerator::Kvm) return "qemu-kvm";
    return clock == Clock::Icount ? "qemu-icount" : "qemu-wall";
}

void set_machine(MachineSpec& spec, std::string_view name) {
    spec.emulator = MachineSpec::Emulator::Qemu;
    spec.clock = MachineSpec::Clock::Wall;
    spec.accelerator = MachineSpec::Accelerator::Tcg;
    if (name == "bochs-smp") {
        spec.emulator = MachineSpec::Emulator::Bochs;
    } else if (name == "qemu-icount") {
        spec.clock = MachineSpec::Clock::Icount;
    } else if (name == "qemu-kvm") {
        spec.accelerator = MachineSpec::Accelerator::Kvm;
    } else if (name != "qemu-wall") {
        throw InfraError("no machine is called " + std::string(name));
    }
}

std::unique_ptr<Machine> make_machine(const MachineSpec& spec, const fs::path& folder,
                                      bool trace) {
    if (spec.emulator == MachineSpec::Emulator::Bochs) {
        return std::make_unique<BochsMachine>(spec, folder);
    }
    return std::make_unique<QemuMachine>(spec, folder, trace);
}

std::vector<std::string> interactive_command(const MachineSpec& spec, const fs::path& folder,
                                             bool wait_for_gdb) {
    if (spec.emulator == MachineSpec::Emulator::Bochs) return bochs_interactive(spec, folder);
    return qemu_interactive(spec, folder, wait_for_gdb);
}

fs::path make_iso(const MachineSpec& spec, const fs::path& folder) {
    fs::path iso = folder / "mello.iso";
    CommandResult made = run_command({"grader/tools/make_iso.sh", iso, spec.kernel,
                                      spec.initramfs, spec.kernel_arguments});
    if (made.status != 0) throw InfraError("grub-mkrescue failed:\n" + made.output);
    return iso;
}
