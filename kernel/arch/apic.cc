// Local APIC and I/O APIC.
//
// The local APIC is used through MSRs where the CPU has x2APIC, else through its page of
// registers; the register numbers are the same (MSR 0x800 + offset / 16). Each CPU programs
// its own. Interrupts of devices come through the I/O APIC, all to the boot CPU: the lines that
// the kernel uses are few and slow.
//
// The timer is one-shot: an absolute TSC deadline where there is one; else the APIC's own
// counter, whose rate apic_timer_calibrate measures against the TSC.
// Sources: Intel SDM vol. 3, chapter 10; Intel 82093AA data sheet (I/O APIC).
#include "kernel/arch/apic.h"

#include <algorithm>

#include "kernel/arch/paging.h"
#include "kernel/arch/traps.h"
#include "kernel/arch/tsc.h"
#include "kernel/arch/x86.h"
#include "kernel/base/log.h"

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
constexpr uint32_t kAssert = 1 << 14;
constexpr uint32_t kDeliveryPending = 1 << 12;
constexpr uint32_t kDivideBy1 = 0xb;
constexpr uint64_t kBaseEnable = 1 << 11;       // MSR APIC_BASE
constexpr uint64_t kBaseX2Apic = 1 << 10;

volatile uint32_t* registers;  // mapped page, when not x2APIC
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

// ---- I/O APIC: 32-bit registers behind a pair of select and window ----

volatile uint32_t* io_apic;

volatile uint32_t& io_apic_register(uint32_t number) {
    io_apic[0] = number;
    return io_apic[4];
}

void io_apic_set_line(uint32_t line, uint32_t low, uint32_t destination) {
    uint32_t entry = 0x10 + 2 * line;
    io_apic_register(entry) = kMasked;  // never half an entry in force
    io_apic_register(entry + 1) = destination << 24;
    io_apic_register(entry) = low;
}

volatile uint32_t* map_registers(PhysAddr address) {
    return static_cast<volatile uint32_t*>(map_mmio(address, kPageSize));
}

// The two 8259s are not used, but may still raise a spurious interrupt: they are moved to
// vectors 0xf0-0xff, off the exceptions, and all their lines are masked.
void disable_legacy_pics() {
    // ICW1 to ICW4 (edge triggered, vectors, cascade on line 2, 8086 mode), mask.
    constexpr uint8_t kMaster[] = {0x11, 0xf0, 1 << 2, 1, 0xff};
    constexpr uint8_t kSlave[] = {0x11, 0xf8, 2, 1, 0xff};
    for (uint16_t i = 0; i < 5; i++) {
        x86::outb(0x20 + (i > 0), kMaster[i]);
        x86::outb(0xa0 + (i > 0), kSlave[i]);
    }
}

}  // namespace

void apic_init() {
    disable_legacy_pics();
    if (!cpu_features.x2apic)
        registers = map_registers(x86::rdmsr(x86::kMsrApicBase) & pte::kAddressMask);
    apic_init_cpu();
    cpus[0].apic_id = cpu_features.x2apic ? read(kId) : read(kId) >> 24;
    io_apic = map_registers(topology.io_apic);
    constexpr uint32_t kVersion = 1;
    uint32_t last = io_apic_register(kVersion) >> 16 & 0xff;
    for (uint32_t line = 0; line <= last; line++) io_apic_set_line(line, kMasked, 0);
}

void apic_init_cpu() {
    uint64_t base = x86::rdmsr(x86::kMsrApicBase) | kBaseEnable;
    x86::wrmsr(x86::kMsrApicBase, base);
    // xAPIC first, then x2APIC: the only allowed way (Intel SDM vol. 3, 10.12.5).
    if (cpu_features.x2apic) x86::wrmsr(x86::kMsrApicBase, base | kBaseX2Apic);
    write(kTaskPriority, 0);
    write(kLvtTimer, kMasked);
    write(kLvtLint0, kMasked);
    write(kLvtLint1, kSendNmi);  // where chipsets, and QEMU's monitor, raise an NMI
    write(kLvtError, kMasked);
    write(kErrorStatus, 0);
    write(kTimerDivide, kDivideBy1);
    write(kSpurious, kSoftwareEnable | kVectorSpurious);
    apic_eoi();  // of an interrupt that the firmware left in service
    write(kLvtTimer, kVectorTimer | (cpu_features.tsc_deadline ? kTimerDeadline : 0));
    // The mode must have arrived before the first deadline is written (10.5.4.1).
    asm volatile("mfence" : : : "memory");
}

void apic_eoi() { write(kEndOfInterrupt, 0); }

// In xAPIC mode the command takes two registers: no interrupt may come between, and the
// previous command must have left. WRMSR to the x2APIC is not serializing: the fence makes
// what was stored before visible to the CPU that we interrupt (Intel SDM vol. 3, 10.12.3).
void apic_send(uint32_t apic_id, uint32_t what) {
    uint32_t command = kAssert | what;
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

void ioapic_enable_isa(uint8_t irq) {
    ASSERT(irq < kIsaIrqs);
    const IsaRoute& route = topology.isa[irq];
    constexpr uint32_t kActiveLow = 1 << 13, kLevel = 1 << 15;
    uint32_t low = static_cast<uint32_t>(kVectorIrqBase + irq);
    if (route.active_low) low |= kActiveLow;
    if (route.level) low |= kLevel;
    io_apic_set_line(route.line, low, cpus[0].apic_id);
}

void ioapic_timer_nmi(bool on) {
    constexpr uint32_t kEveryone = 0xff;
    io_apic_set_line(topology.isa[0].line, on ? kSendNmi : kMasked, kEveryone);
}

void apic_timer_calibrate() {
    if (cpu_features.tsc_deadline) {
        log_info("timer: TSC deadline");
        return;
    }
    // Three rounds of a millisecond, the later ones with warm code paths. Each end lies between
    // two readings of the TSC, whose middle is taken; the rounds differ by how far apart those
    // were, so the better round is the one with less of that.
    write(kLvtTimer, kMasked);
    uint64_t timer_hz = 0, best_error = ~0ull;
    for (int round = 0; round < 3; round++) {
        uint64_t before_start = x86::rdtsc();
        write(kTimerInitial, ~0u);
        uint64_t start = x86::rdtsc();
        while (x86::rdtsc() < start + tsc_hz() / 1000) x86::pause();
        uint64_t end = x86::rdtsc();
        uint64_t count = ~0u - read(kTimerCurrent);
        uint64_t after_end = x86::rdtsc(), error = start - before_start + (after_end - end);
        if (error >= best_error) continue;
        best_error = error;
        timer_hz = mul_div(count, tsc_hz(), end - start + error / 2);
    }
    write(kTimerInitial, 0);
    write(kLvtTimer, kVectorTimer);
    timer_scale = mul_div(timer_hz, 1ull << kScaleShift, 1000000000);
    log_info("timer: APIC, %lu.%06lu MHz", timer_hz / 1000000, timer_hz % 1000000);
}

void apic_timer_arm(uint64_t ns) {
    if (cpu_features.tsc_deadline) {
        x86::wrmsr(x86::kMsrTscDeadline, x86::rdtsc() + ns_to_tsc(ns));
        return;
    }
    uint64_t ticks = mul_div(ns, timer_scale, 1ull << kScaleShift);
    write(kTimerInitial, static_cast<uint32_t>(std::clamp(ticks, 1ul, 0xfffffffful)));
}
