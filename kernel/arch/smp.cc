// Bringing up CPUs.
//
// The others are started all together: every CPU finds its slot (stack, Cpu) by its APIC id,
// so no two share anything on the way up. A CPU that comes late, after the boot CPU has given
// it up, must not run: both sides claim the slot by compare-and-swap, and one of them loses.
// The trampoline pages stay as they are for that case; no page map of the kernel has the
// identity entry.
#include "kernel/arch/smp.h"

#include <atomic>
#include <cstddef>

#include "kernel/arch/apic.h"
#include "kernel/arch/descriptors.h"
#include "kernel/arch/features.h"
#include "kernel/arch/image.h"
#include "kernel/arch/memory.h"
#include "kernel/arch/paging.h"
#include "kernel/arch/smp_layout.h"
#include "kernel/arch/topology.h"
#include "kernel/arch/tsc.h"
#include "kernel/arch/x86.h"
#include "kernel/base/assert.h"
#include "kernel/base/log.h"
#include "kernel/base/string.h"

namespace {

enum class Claim : uint32_t { Free, Arrived, GivenUp };

}  // namespace

struct SmpSlot {
    uint32_t apic_id;
    std::atomic<Claim> claim;
    VirtAddr stack_top;  // 0: slot not in use
    Cpu* cpu;
    uint64_t reserved;
};
static_assert(offsetof(SmpSlot, apic_id) == SMP_SLOT_APIC_ID);
static_assert(offsetof(SmpSlot, stack_top) == SMP_SLOT_STACK);
static_assert(sizeof(SmpSlot) == SMP_SLOT_SIZE);
static_assert(kMaxCpus == SMP_MAX_CPUS);

// Used by trampoline.S.
extern "C" {
SmpSlot smp_slots[kMaxCpus];
PhysAddr smp_kernel_root;
extern const char smp_trampoline[], smp_trampoline_end[], smp_trampoline_efer[];
}

namespace {

constexpr size_t kIstCount = 4;
// Room above an IST stack for the Cpu's address; the stack stays 16-byte aligned.
constexpr size_t kIstReserve = 16;
VirtAddr ist_tops[kMaxCpus][kIstCount];
void (*cpu_entry)();

void set_ist_stack(Cpu& cpu, size_t index, VirtAddr stack_end) {
    VirtAddr top = stack_end - kIstReserve;
    *reinterpret_cast<Cpu**>(top) = &cpu;
    ist_tops[cpu.id][index] = top;
}

bool prepare(SmpSlot& slot, Cpu& cpu, uint32_t apic_id) {
    cpu.apic_id = apic_id;
    for (size_t i = 0; i < kIstCount; i++) {
        Result<VirtAddr> stack = alloc_kernel_stack();
        if (!stack.ok()) return false;
        set_ist_stack(cpu, i, stack.value());
    }
    Result<VirtAddr> stack = alloc_kernel_stack();
    if (!stack.ok()) return false;
    cpu.kernel_rsp = stack.value();
    slot.cpu = &cpu;
    slot.apic_id = apic_id;
    slot.claim.store(Claim::Free);
    slot.stack_top = stack.value();
    return true;
}

void write_trampoline() {
    auto* pml4 = static_cast<uint64_t*>(phys_to_virt(SMP_PML4));
    auto* pdpt = static_cast<uint64_t*>(phys_to_virt(SMP_PDPT));
    auto* pd = static_cast<uint64_t*>(phys_to_virt(SMP_PD));
    memcpy(pml4, phys_to_virt(kernel_root()), kPageSize);
    memset(pdpt, 0, kPageSize);
    memset(pd, 0, kPageSize);
    pml4[0] = SMP_PDPT | pte::kPresent | pte::kWrite;
    pdpt[0] = SMP_PD | pte::kPresent | pte::kWrite;
    pd[0] = pte::kPresent | pte::kWrite | pte::kLarge;

    smp_kernel_root = kernel_root();
    auto* code = static_cast<char*>(phys_to_virt(SMP_TRAMPOLINE));
    memcpy(code, smp_trampoline, static_cast<size_t>(smp_trampoline_end - smp_trampoline));
    auto efer = static_cast<uint32_t>(x86::kEferLme | (cpu_features.nx ? x86::kEferNxe : 0));
    memcpy(code + (smp_trampoline_efer - smp_trampoline), &efer, sizeof efer);
}

void wait_us(uint64_t microseconds) {
    uint64_t until = x86::rdtsc() + ns_to_tsc(microseconds * 1000);
    while (x86::rdtsc() < until) x86::pause();
}

// Waits until the CPUs of all slots are online. One that has not even arrived by then is
// given up; one that has arrived is on its way and is waited for.
void wait_for_all() {
    uint64_t until = x86::rdtsc() + ns_to_tsc(1000000000);
    for (uint32_t i = 1; i < cpu_count; i++) {
        SmpSlot& slot = smp_slots[i];
        while (!cpus[i].online.load(std::memory_order_acquire)) {
            x86::pause();
            if (x86::rdtsc() < until) continue;
            Claim expected = Claim::Free;
            if (slot.claim.compare_exchange_strong(expected, Claim::GivenUp)) {
                log_error("CPU %u (APIC %u) does not answer", i, slot.apic_id);
                break;
            }
        }
    }
}

}  // namespace

void descriptors_boot_cpu() {
    constexpr size_t kStackSize = 8192;
    alignas(16) static char stacks[kIstCount][kStackSize];
    Cpu& cpu = cpus[0];
    cpu.self = &cpu;
    cpu.kernel_rsp = reinterpret_cast<VirtAddr>(boot_stack_top);
    for (size_t i = 0; i < kIstCount; i++)
        set_ist_stack(cpu, i, reinterpret_cast<VirtAddr>(stacks[i] + kStackSize));
    descriptors_init_cpu(cpu, ist_tops[0]);
    idt_init();
    idt_load();
}

// First C++ code of another CPU, on its idle stack.
extern "C" void smp_cpu_main(SmpSlot* slot) {
    Claim expected = Claim::Free;
    if (!slot->claim.compare_exchange_strong(expected, Claim::Arrived)) {
        for (;;) x86::hlt();
    }
    Cpu& cpu = *slot->cpu;
    enable_cpu_features();
    descriptors_init_cpu(cpu, ist_tops[cpu.id]);
    idt_load();
    apic_init_cpu();
    cpu.active_page_map = smp_kernel_root;
    cpu_entry();
    panic("the entry of CPU %u returned", cpu.id);
}

void smp_start(uint32_t max_cpus, void (*entry)()) {
    if (max_cpus > kMaxCpus) max_cpus = kMaxCpus;
    cpu_entry = entry;
    uint32_t count = 1;
    for (size_t i = 0; i < topology.cpu_count && count < max_cpus; i++) {
        if (topology.apic_ids[i] == cpus[0].apic_id) continue;
        Cpu& cpu = cpus[count];
        cpu.self = &cpu;
        cpu.id = count;
        if (!prepare(smp_slots[count], cpu, topology.apic_ids[i])) {
            log_error("no memory for the stacks of CPU %u", count);
            break;
        }
        count++;
    }
    cpu_count = count;
    if (count == 1) return;

    write_trampoline();
    for (uint32_t i = 1; i < count; i++) apic_send_init(cpus[i].apic_id);
    // Current CPUs need no pause after INIT, those of the 1990s needed 10 ms.
    wait_us(100);
    // The second is for a CPU that missed the first; one that runs ignores it.
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 1; i < count; i++)
            apic_send_startup(cpus[i].apic_id, SMP_TRAMPOLINE / kPageSize);
        wait_us(200);
    }
    wait_for_all();
}
