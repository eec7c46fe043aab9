// CPUs and interrupt controllers of this machine. The ACPI driver fills it from the MADT
// (kernel/drivers/acpi.cc) before apic_init; without ACPI the defaults of a PC hold.
#pragma once
#include <cstddef>
#include <cstdint>

#include "kernel/arch/cpu.h"
#include "kernel/base/types.h"

struct IoApicInfo {
    PhysAddr address;
    uint32_t first_gsi;  // global interrupt number of its line 0
};

// Where an ISA interrupt arrives, and how.
struct IsaRoute {
    uint32_t gsi;
    bool active_low;
    bool level;
};

inline constexpr size_t kMaxIoApics = 4;
inline constexpr size_t kIsaIrqs = 16;

struct Topology {
    PhysAddr local_apic;
    uint32_t apic_ids[kMaxCpus];  // usable CPUs, in the MADT's order, the boot CPU among them
    size_t cpu_count;             // 0: unknown, the boot CPU alone
    IoApicInfo io_apics[kMaxIoApics];
    size_t io_apic_count;
    IsaRoute isa[kIsaIrqs];
};
extern Topology topology;

// The defaults: local APIC at 0xfee00000, one I/O APIC at 0xfec00000, ISA interrupt n as
// global interrupt n, edge triggered, active high.
void topology_set_defaults();
