// GDT, TSS and IDT.
//
// Each CPU has a GDT and a TSS of its own, in Cpu::boot_lab; the IDT is shared. In 64-bit
// mode segments hardly matter: code segments give the privilege level and the mode, data
// segments must be valid to be loaded into SS, and the TSS is the place where the CPU finds
// stacks: RSP0 for a trap from ring 3, the IST for traps that cannot trust any stack in use
// (a double fault because of a stack overflow, an NMI between two instructions of the system
// call entry). The order of the GDT is dictated by SYSCALL and SYSRET (asm_offsets.h).
//
// All gates are interrupt gates: interrupts stay off until the kernel turns them on.
// Sources: Intel SDM vol. 3, 3.4.5 (segment descriptors), 6.14.1 (gates), 7.2.3 (TSS
// descriptor), 7.7 (64-bit TSS).
#include "kernel/arch/traps.h"

#include "kernel/arch/x86.h"

namespace {

// Present, accessed (so that the CPU need not write it), flat; base and limit are ignored
// for code, and for data in 64-bit mode.
constexpr uint64_t kKernelCode = 0x00af9b000000ffff;  // DPL 0, L
constexpr uint64_t kKernelData = 0x00cf93000000ffff;  // DPL 0, writable
constexpr uint64_t kUserCode32 = 0x00cffb000000ffff;  // DPL 3, D
constexpr uint64_t kUserData = 0x00cff3000000ffff;    // DPL 3, writable
constexpr uint64_t kUserCode = 0x00affb000000ffff;    // DPL 3, L

struct [[gnu::packed]] Tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t io_map_base;  // past the limit: no port is open to ring 3
};
static_assert(sizeof(Tss) == 104);

struct BootState {
    uint64_t gdt[TSS_SELECTOR / 8 + 2];
    Tss tss;
};

struct [[gnu::packed]] Gate {
    uint16_t offset_low;
    uint16_t selector;
    uint8_t ist;
    uint8_t type;
    uint16_t offset_middle;
    uint32_t offset_high;
    uint32_t reserved;
};
static_assert(sizeof(Gate) == 16);

alignas(16) Gate idt[256];

struct [[gnu::packed]] TablePointer {
    uint16_t limit;
    uint64_t base;
};

// A system descriptor takes two slots; type 9 is an available 64-bit TSS.
void put_tss_descriptor(uint64_t* slot, const Tss& tss) {
    auto base = reinterpret_cast<uint64_t>(&tss);
    constexpr uint64_t kPresentTss = 0x89;
    slot[0] = (sizeof(Tss) - 1) | (base & 0xffffff) << 16 | kPresentTss << 40 |
              (base >> 24 & 0xff) << 56;
    slot[1] = base >> 32;
}

void load_gdt(const BootState& state) {
    TablePointer pointer = {sizeof state.gdt - 1, reinterpret_cast<uint64_t>(state.gdt)};
    // CS is loaded by a far return.
    asm volatile(
        "lgdt %0\n\t"
        "pushq %1\n\t"
        "leaq 1f(%%rip), %%rax\n\t"
        "pushq %%rax\n\t"
        "lretq\n"
        "1:\n\t"
        "movl %2, %%ds\n\t"
        "movl %2, %%es\n\t"
        "movl %2, %%ss\n\t"
        "movl %3, %%fs\n\t"
        "movl %3, %%gs\n\t"
        :
        : "m"(pointer), "i"(KERNEL_CS), "r"(KERNEL_DS), "r"(0)
        : "rax", "memory");
}

}  // namespace

void descriptors_init_cpu(Cpu& cpu, const VirtAddr ist_tops[4]) {
    BootState& state = cpu.boot_lab.construct<BootState>();
    state.gdt[KERNEL_CS / 8] = kKernelCode;
    state.gdt[KERNEL_DS / 8] = kKernelData;
    state.gdt[USER_CS32 / 8] = kUserCode32;
    state.gdt[USER_DS / 8] = kUserData;
    state.gdt[USER_CS / 8] = kUserCode;
    put_tss_descriptor(&state.gdt[TSS_SELECTOR / 8], state.tss);
    for (size_t i = 0; i < 4; i++) state.tss.ist[i] = ist_tops[i];
    state.tss.io_map_base = sizeof(Tss);

    load_gdt(state);
    // After GS was loaded: on Intel loading a selector clears the base.
    x86::wrmsr(x86::kMsrGsBase, reinterpret_cast<uint64_t>(&cpu));
    x86::wrmsr(x86::kMsrKernelGsBase, 0);
    asm volatile("ltr %w0" : : "r"(TSS_SELECTOR));
}

void idt_init() {
    for (size_t vector = 0; vector < 256; vector++) {
        uint64_t entry = trap_entry_points[vector];
        bool from_user = vector == kVectorBreakpoint || vector == kVectorOverflow;
        uint8_t ist = 0;
        if (vector == kVectorDoubleFault) ist = kIstDoubleFault;
        if (vector == kVectorNmi) ist = kIstNmi;
        if (vector == kVectorMachineCheck) ist = kIstMachineCheck;
        if (vector == kVectorDebug) ist = kIstDebug;
        constexpr uint8_t kPresentInterruptGate = 0x8e, kDpl3 = 0x60;
        idt[vector] = {
            .offset_low = static_cast<uint16_t>(entry),
            .selector = KERNEL_CS,
            .ist = ist,
            .type = static_cast<uint8_t>(kPresentInterruptGate | (from_user ? kDpl3 : 0)),
            .offset_middle = static_cast<uint16_t>(entry >> 16),
            .offset_high = static_cast<uint32_t>(entry >> 32),
            .reserved = 0,
        };
    }
}

void idt_load() {
    TablePointer pointer = {sizeof idt - 1, reinterpret_cast<uint64_t>(idt)};
    asm volatile("lidt %0" : : "m"(pointer));
}

void set_kernel_stack(Cpu& cpu, VirtAddr top) {
    cpu.boot_lab.get<BootState>().tss.rsp[0] = top;
}
