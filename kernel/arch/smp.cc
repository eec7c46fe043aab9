// Bringing up CPUs.
//
// The others are started all together: every CPU finds its Cpu, and in it its idle stack, by
// its APIC id, so no two share anything on the way up. One that comes later than the boot CPU
// waits for it is still right: its Cpu, its stacks and the trampoline's pages stay as they
// are, and nobody counts on it before Cpu::online. No page map of the kernel has the
// identity entry.
#include "kernel/arch/smp.h"

#include <algorithm>
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

static_assert(offsetof(Cpu, apic_id) == CPU_APIC_ID);
static_assert(sizeof(Cpu) == CPU_SIZE);
static_assert(kMaxCpus == SMP_MAX_CPUS);

// Used by trampoline.S.
extern "C" {
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

bool prepare(Cpu& cpu, uint32_t id, uint32_t apic_id) {
    cpu.self = &cpu;
    cpu.id = id;
    cpu.apic_id = apic_id;
    for (size_t i = 0; i < kIstCount; i++) {
        Result<VirtAddr> stack = alloc_kernel_stack();
        if (!stack.ok()) return false;
        set_ist_stack(cpu, i, stack.value());
    }
    Result<VirtAddr> stack = alloc_kernel_stack();
    if (stack.ok()) cpu.kernel_rsp = stack.value();
    return stack.ok();
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

void wait_for_all() {
    uint64_t until = x86::rdtsc() + ns_to_tsc(1000000000);
    for (uint32_t i = 1; i < cpu_count; i++) {
        const Cpu& cpu = cpus[i];
        while (!cpu.online.load() && x86::rdtsc() < until) x86::pause();
        if (!cpu.online.load()) log_error("CPU %u (APIC %u) does not answer", i, cpu.apic_id);
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
extern "C" void smp_cpu_main(Cpu& cpu) {
    enable_cpu_features();
    descriptors_init_cpu(cpu, ist_tops[cpu.id]);
    idt_load();
    apic_init_cpu();
    cpu.active_page_map = smp_kernel_root;
    cpu_entry();
    panic("the entry of CPU %u returned", cpu.id);
}

void smp_start(uint32_t max_cpus, void (*entry)()) {
    cpu_entry = entry;
    uint32_t count = 1;
    for (size_t i = 0; i < topology.cpu_count && count < std::min(max_cpus, kMaxCpus); i++) {
        if (topology.apic_ids[i] == cpus[0].apic_id) continue;
        if (!prepare(cpus[count], count, topology.apic_ids[i])) {
            log_error("no memory for the stacks of CPU %u", count);
            break;
        }
        count++;
    }
    cpu_count = count;
    if (count == 1) return;

    write_trampoline();
    for (uint32_t i = 1; i < count; i++) apic_send(cpus[i].apic_id, kSendInit);
    // Current CPUs need no pause after INIT, those of the 1990s needed 10 ms.
    wait_us(100);
    // The second is for a CPU that missed the first; one that runs ignores it.
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 1; i < count; i++)
            apic_send(cpus[i].apic_id, kSendStartup | SMP_TRAMPOLINE / kPageSize);
        wait_us(200);
    }
    wait_for_all();
}
