// CPUs and interrupt controllers of this machine. The ACPI driver fills it from the MADT
// (kernel/drivers/acpi.cc) before apic_init; without ACPI it has the defaults of a PC.
#pragma once
#include <cstddef>
#include <cstdint>

#include "kernel/arch/cpu.h"
#include "kernel/base/types.h"

// Where an ISA interrupt arrives, and how.
struct IsaRoute {
    uint32_t line;  // of the I/O APIC
    bool active_low;
    bool level;
};

inline constexpr size_t kIsaIrqs = 16;

struct Topology {
    uint32_t apic_ids[kMaxCpus];  // usable CPUs, in the MADT's order, the boot CPU among them
    size_t cpu_count;             // 0: unknown, the boot CPU alone
    PhysAddr io_apic;             // the one that has the ISA interrupts: the first
    IsaRoute isa[kIsaIrqs];
};
extern Topology topology;
