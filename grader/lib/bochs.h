// Bochs as a machine: it models what QEMU's TCG leaves out (stale TLB entries, faults of
// SYSRET in ring 0, a UART that loses bytes) and advances CPUs in parallel in simulated
// time, the same in every run. It boots the GRUB image; there is no way in while it runs
// except its own debugger, which `diagnose` uses.
#pragma once
#include <memory>

#include "grader/lib/machine.h"
#include "grader/lib/process.h"

class BochsMachine : public Machine {
  public:
    BochsMachine(const MachineSpec& spec, const fs::path& folder);

    void start() override;
    std::optional<Ending> ending() override;
    fs::path channel(Channel channel) const override;
    double progress_seconds() override;
    std::string diagnose(const Symbols& symbols) override;
    std::string emulator_output() const override;
    void kill() override;

  private:
    MachineSpec spec_;
    fs::path folder_;
    std::unique_ptr<Process> process_;
};

std::vector<std::string> bochs_interactive(const MachineSpec& spec, const fs::path& folder);
