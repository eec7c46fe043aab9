// Local APIC and I/O APIC.
//
// The local APIC is used through MSRs where the CPU has x2APIC, else through its page of
// registers; the register numbers are the same (MSR 0x800 + offset / 16). Each CPU programs
// its own. Interrupts of devices come through the I/O APICs, all to the boot CPU: the lines
// that the kernel uses are few and slow.
//
// The timer is one-shot: an absolute TSC deadline where there is one; else the APIC's own
// counter, whose rate apic_timer_calibrate measures against the TSC.
// Sources: Intel SDM vol. 3, chapter 10; Intel 82093AA data sheet (I/O APIC).
#include "kernel/arch/apic.h"

#include <algorithm>

#include "kernel/arch/features.h"
#include "kernel/arch/memory.h"
#include "kernel/arch/topology.h"
#include "kernel/arch/traps.h"
#include "kernel/arch/tsc.h"
#include "kernel/arch/x86.h"
#include "kernel/base/assert.h"
#include "kernel/base/log.h"
#include "kernel/base/math.h"

Topology topology;

namespace {

enum Register : uint32_t {
    kId = 0x20,
    kTaskPriority = 0x80,
    kEndOfInterrupt = 0xb0,
    kSpurious = 0xf0,
    kErrorStatus = 0x280,
    kCommandLow = 0x300,
    kCommandHigh = 0x310,  // destination; x2APIC has one 64-bit command register instead
    kLvtTimer = 0x320,
    kLvtLint0 = 0x350,
    kLvtLint1 = 0x360,
    kLvtError = 0x370,
    kTimerInitial = 0x380,
    kTimerCurrent = 0x390,
    kTimerDivide = 0x3e0,
};
constexpr uint32_t kSoftwareEnable = 1 << 8;    // spurious vector register
constexpr uint32_t kMasked = 1 << 16;           // LVT
constexpr uint32_t kTimerDeadline = 2 << 17;    // LVT timer mode; 0 is one-shot
constexpr uint32_t kDeliverNmi = 4 << 8;        // LVT and command
constexpr uint32_t kDeliverInit = 5 << 8;       // command
constexpr uint32_t kDeliverStartup = 6 << 8;
constexpr uint32_t kAssert = 1 << 14;
constexpr uint32_t kDeliveryPending = 1 << 12;
constexpr uint32_t kDivideBy1 = 0xb;
constexpr uint64_t kBaseEnable = 1 << 11;       // MSR APIC_BASE
constexpr uint64_t kBaseX2Apic = 1 << 10;

volatile uint32_t* registers;  // mapped page, when not x2APIC
bool ready;                    // this machine's mode is chosen: IPIs may be sent
uint64_t timer_scale;          // timer ticks a nanosecond, with kScaleShift fraction bits
constexpr unsigned kScaleShift = 32;

uint32_t read(Register reg) {
    if (cpu_features.x2apic)
        return static_cast<uint32_t>(x86::rdmsr(x86::kMsrX2ApicBase + reg / 16));
    return registers[reg / 4];
}

void write(Register reg, uint32_t value) {
    if (cpu_features.x2apic) x86::wrmsr(x86::kMsrX2ApicBase + reg / 16, value);
    else registers[reg / 4] = value;
}

// An IPI. In xAPIC mode the command takes two registers: no interrupt may come between, and
// the previous command must have left. WRMSR to the x2APIC is not serializing: the fence
// makes what was stored before visible to the CPU that we interrupt (Intel SDM vol. 3,
// 10.12.3).
void send(uint32_t apic_id, uint32_t command) {
    if (!ready) return;
    if (cpu_features.x2apic) {
        asm volatile("mfence" : : : "memory");
        x86::wrmsr(x86::kMsrX2ApicBase + kCommandLow / 16,
                   static_cast<uint64_t>(apic_id) << 32 | command);
        return;
    }
    InterruptsOff off;
    while (read(kCommandLow) & kDeliveryPending) x86::pause();
    write(kCommandHigh, apic_id << 24);
    write(kCommandLow, command);
}

// The two 8259s are not used, but may still hold or raise an interrupt: remapped to vectors
// 0xf0-0xff, off the exceptions, and all lines masked.
void disable_legacy_pics() {
    constexpr uint16_t kMaster = 0x20, kSlave = 0xa0;
    // Initialize; first vector; the slave is on line 2; 8086 mode; all lines masked.
    constexpr uint8_t kToMaster[] = {0x11, 0xf0, 1 << 2, 0x01, 0xff};
    constexpr uint8_t kToSlave[] = {0x11, 0xf8, 2, 0x01, 0xff};
    for (uint16_t i = 0; i < 5; i++) {
        x86::outb(kMaster + (i > 0), kToMaster[i]);
        x86::outb(kSlave + (i > 0), kToSlave[i]);
    }
}

// ---- I/O APIC ----

struct IoApic {
    volatile uint32_t* select;
    volatile uint32_t* window;
    uint32_t first_gsi;
    uint32_t lines;

    uint32_t read(uint32_t reg) const {
        *select = reg;
        return *window;
    }
    void write(uint32_t reg, uint32_t value) const {
        *select = reg;
        *window = value;
    }
    void set_line(uint32_t line, uint32_t low, uint32_t destination) const {
        uint32_t reg = 0x10 + 2 * line;
        write(reg, kMasked);  // never half an entry in force
        write(reg + 1, destination << 24);
        write(reg, low);
    }
};
IoApic io_apics[kMaxIoApics];

void init_io_apics() {
    for (size_t i = 0; i < topology.io_apic_count; i++) {
        const IoApicInfo& info = topology.io_apics[i];
        auto* base = static_cast<volatile uint32_t*>(map_mmio(info.address, 0x20, false));
        IoApic& io_apic = io_apics[i];
        io_apic = {base, base + 4, info.first_gsi, 0};
        constexpr uint32_t kVersion = 1;
        io_apic.lines = (io_apic.read(kVersion) >> 16 & 0xff) + 1;
        for (uint32_t line = 0; line < io_apic.lines; line++)
            io_apic.set_line(line, kMasked, 0);
    }
}

}  // namespace

void topology_set_defaults() {
    topology = Topology{};
    topology.local_apic = 0xfee00000;
    topology.io_apics[0] = {0xfec00000, 0};
    topology.io_apic_count = 1;
    for (uint32_t irq = 0; irq < kIsaIrqs; irq++) topology.isa[irq].gsi = irq;
}

void apic_init() {
    disable_legacy_pics();
    if (!cpu_features.x2apic)
        registers = static_cast<volatile uint32_t*>(
            map_mmio(topology.local_apic, kPageSize, false));
    apic_init_cpu();
    ready = true;
    cpus[0].apic_id = apic_id();
    init_io_apics();
}

void apic_init_cpu() {
    uint64_t base = x86::rdmsr(x86::kMsrApicBase) | kBaseEnable;
    x86::wrmsr(x86::kMsrApicBase, base);
    // xAPIC first, then x2APIC: the only allowed way (Intel SDM vol. 3, 10.12.5).
    if (cpu_features.x2apic) x86::wrmsr(x86::kMsrApicBase, base | kBaseX2Apic);
    write(kTaskPriority, 0);
    write(kLvtTimer, kMasked);
    write(kLvtLint0, kMasked);
    write(kLvtLint1, kDeliverNmi);  // where chipsets, and QEMU's monitor, raise an NMI
    write(kLvtError, kMasked);
    write(kErrorStatus, 0);
    write(kTimerDivide, kDivideBy1);
    write(kSpurious, kSoftwareEnable | kVectorSpurious);
    apic_eoi();  // of an interrupt that the firmware left in service
    write(kLvtTimer, kVectorTimer | (cpu_features.tsc_deadline ? kTimerDeadline : 0));
    // The mode must have arrived before the first deadline is written (10.5.4.1).
    asm volatile("mfence" : : : "memory");
}

uint32_t apic_id() { return cpu_features.x2apic ? read(kId) : read(kId) >> 24; }

void apic_eoi() { write(kEndOfInterrupt, 0); }

void apic_send_ipi(uint32_t apic_id, uint8_t vector) { send(apic_id, kAssert | vector); }

void apic_send_nmi(uint32_t apic_id) { send(apic_id, kAssert | kDeliverNmi); }

void apic_send_init(uint32_t apic_id) { send(apic_id, kAssert | kDeliverInit); }

void apic_send_startup(uint32_t apic_id, uint8_t page) {
    send(apic_id, kAssert | kDeliverStartup | page);
}

void ioapic_enable_isa(uint8_t irq) {
    ASSERT(irq < kIsaIrqs);
    const IsaRoute& route = topology.isa[irq];
    for (size_t i = 0; i < topology.io_apic_count; i++) {
        const IoApic& io_apic = io_apics[i];
        if (route.gsi - io_apic.first_gsi >= io_apic.lines) continue;
        constexpr uint32_t kActiveLow = 1 << 13, kLevel = 1 << 15;
        uint32_t low = static_cast<uint32_t>(kVectorIrqBase + irq);
        if (route.active_low) low |= kActiveLow;
        if (route.level) low |= kLevel;
        io_apic.set_line(route.gsi - io_apic.first_gsi, low, cpus[0].apic_id);
        return;
    }
    log_warning("no I/O APIC has interrupt %u (ISA %u)", route.gsi, irq);
}

void apic_timer_calibrate() {
    if (cpu_features.tsc_deadline) {
        log_info("timer: TSC deadline");
        return;
    }
    // Three rounds of a millisecond, the later ones with warm code paths. Each end reads the
    // counter between two readings of the TSC and takes their middle; the rounds differ by
    // how far apart those two were, so the better round is the one with less of that.
    write(kLvtTimer, kMasked);
    struct Sample {
        uint64_t tsc, error, count;
    };
    auto sample = [] {
        uint64_t before = x86::rdtsc(), count = read(kTimerCurrent);
        uint64_t error = x86::rdtsc() - before;
        return Sample{before + error / 2, error, count};
    };
    uint64_t timer_hz = 0, best_error = ~0ull;
    for (int round = 0; round < 3; round++) {
        write(kTimerInitial, ~0u);
        Sample start = sample();
        while (x86::rdtsc() < start.tsc + tsc_hz() / 1000) x86::pause();
        Sample end = sample();
        if (start.error + end.error >= best_error) continue;
        best_error = start.error + end.error;
        timer_hz = mul_div(start.count - end.count, tsc_hz(), end.tsc - start.tsc);
    }
    write(kTimerInitial, 0);
    write(kLvtTimer, kVectorTimer);
    timer_scale = mul_div(timer_hz, 1ull << kScaleShift, 1000000000);
    log_info("timer: APIC, %lu.%06lu MHz", timer_hz / 1000000, timer_hz % 1000000);
}

void apic_timer_arm(uint64_t ns) {
    if (cpu_features.tsc_deadline) {
        x86::wrmsr(x86::kMsrTscDeadline, ns == 0 ? 0 : x86::rdtsc() + ns_to_tsc(ns));
        return;
    }
    if (ns == 0) return write(kTimerInitial, 0);
    uint64_t ticks = mul_div(ns, timer_scale, 1ull << kScaleShift);
    write(kTimerInitial, static_cast<uint32_t>(std::clamp(ticks, 1ul, 0xfffffffful)));
}
