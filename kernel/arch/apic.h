// Local APIC, I/O APIC and what stands behind them: the CPUs and interrupt lines of this
// machine (Intel SDM vol. 3, chapter 10).
#pragma once

#include "kernel/arch/cpu.h"

// ---- Topology ----
// The ACPI driver fills it from the MADT (kernel/drivers/acpi.cc) before apic_init; without
// ACPI it has the defaults of a PC.

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

// ---- The controllers ----

// Masks the legacy PICs, switches the local APIC on (x2APIC where there is one) and masks all
// lines of the I/O APIC. Boot CPU, after ACPI.
void apic_init();
// The calling CPU's local APIC.
void apic_init_cpu();
void apic_eoi();
// Sends another CPU an interrupt: a vector, or one of these (Intel SDM vol. 3, 10.6.1).
inline constexpr uint32_t kSendNmi = 4 << 8, kSendInit = 5 << 8;
inline constexpr uint32_t kSendStartup = 6 << 8;  // | number of a 4 KiB page below 1 MiB
void apic_send(uint32_t apic_id, uint32_t what);

// Routes ISA interrupt `irq` (0..15, after MADT overrides) to the boot CPU as vector
// kVectorIrqBase + irq and unmasks it.
void ioapic_enable_isa(uint8_t irq);
// Makes the 8254's channel 0 an NMI of every CPU, or masks it.
void ioapic_timer_nmi(bool on);

// One-shot timer of the calling CPU: interrupts (kVectorTimer) `ns` nanoseconds from now
// (at least 1). Uses TSC deadline where there is one. A long wait may end early (the APIC's
// counter has 32 bits: 4 s at 1 GHz): look at the clock and arm again.
void apic_timer_arm(uint64_t ns);
// Measures the timer against the calibrated TSC; boot CPU, after tsc_calibrate.
void apic_timer_calibrate();
