// QEMU as a machine. The command lines are those of EMULATORS.md, measured to be
// bit-identical over runs under icount.
#pragma once
#include <memory>

#include "grader/lib/inspector.h"
#include "grader/lib/machine.h"
#include "grader/lib/process.h"

class QemuMachine : public Machine {
  public:
    QemuMachine(const MachineSpec& spec, const fs::path& folder, bool trace);

    void start() override;
    std::optional<Ending> ending() override;
    fs::path channel(Channel channel) const override;
    double progress_seconds() override;
    std::string diagnose(const Symbols& symbols) override;
    Inspector* inspector() override;
    std::string emulator_output() const override;
    void kill() override;

  private:
    MachineSpec spec_;
    fs::path folder_;
    bool trace_;
    std::unique_ptr<Process> process_;
    std::unique_ptr<Inspector> inspector_;
};

std::vector<std::string> qemu_interactive(const MachineSpec& spec, const fs::path& folder,
                                          bool wait_for_gdb);
