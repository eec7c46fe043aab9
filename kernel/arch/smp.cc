// The per-CPU data, bringing up CPUs, and interrupts between them.
//
// The others are started all together: every CPU finds its Cpu, and in it its idle stack, by
// its APIC id, so no two share anything on the way up. One that comes later than the boot CPU
// waits for it is still right: its Cpu, its stacks and the trampoline's pages stay as they
// are, and nobody counts on it before Cpu::online. No page map of the kernel has the
// identity entry.
//
// Interrupting them: posted work and one vector.
//
// A sender sets a bit in the target's ipi_pending and interrupts it only when the bit was
// clear before: whoever set it first has sent the interrupt that will serve both. The
// target takes all bits at once, and only then looks at what they stand for (a run queue, a
// mailbox), so a request posted after the take sets its bit anew and is not lost.
//
// Waiting. A CPU that spins for a spin lock has its interrupts off and answers nobody. That
// is no deadlock as long as no holder of a spin lock waits for an answer: callers of
// ipi_call and tlb_shootdown hold none, and in their loops they serve their own pending
// work, so that two CPUs that wait for each other both get on.
#include "kernel/arch/smp.h"

#include <algorithm>
#include <bit>

#include "kernel/arch/apic.h"
#include "kernel/arch/paging.h"
#include "kernel/arch/traps.h"
#include "kernel/arch/tsc.h"
#include "kernel/arch/x86.h"
#include "kernel/base/log.h"
#include "kernel/base/runtime.h"

Cpu cpus[kMaxCpus];
uint32_t cpu_count = 1;

static_assert(offsetof(Cpu, apic_id) == CPU_APIC_ID);
static_assert(sizeof(Cpu) == CPU_SIZE);
static_assert(kMaxCpus == SMP_MAX_CPUS);

// Used by trampoline.S.
PhysAddr smp_kernel_root;
extern "C" const char smp_trampoline[], smp_trampoline_end[], smp_trampoline_efer[];

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

Result<void> prepare(Cpu& cpu, uint32_t id, uint32_t apic_id) {
    cpu.self = &cpu;
    cpu.id = id;
    cpu.apic_id = apic_id;
    for (size_t i = 0; i < kIstCount; i++) set_ist_stack(cpu, i, TRY(alloc_kernel_stack()));
    cpu.kernel_rsp = TRY(alloc_kernel_stack());
    return {};
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

// ---- Interprocessor interrupts ----

constexpr uint32_t kKinds = 3;
void (*handlers[kKinds])();

// The one function call that is under way. `busy` belongs to its sender.
struct Call {
    std::atomic<bool> busy{false};
    std::atomic<uint32_t> unanswered{0};
    void (*function)(void*) = nullptr;
    void* argument = nullptr;
} call;

void run_pending(Cpu& cpu) {
    uint32_t work = cpu.ipi_pending.exchange(0, std::memory_order_acq_rel);
    for (; work != 0; work &= work - 1) {
        auto* handler = handlers[std::countr_zero(work)];
        ASSERT(handler != nullptr);
        handler();
    }
}

void on_ipi(TrapFrame&) { run_pending(this_cpu()); }

void run_call() {
    call.function(call.argument);
    call.unanswered.fetch_sub(1, std::memory_order_release);
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
        if (!prepare(cpus[count], count, topology.apic_ids[i]).ok()) {
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

// ---- Interprocessor interrupts ----

void ipi_init() {
    set_trap_handler(kVectorIpi, on_ipi);
    ipi_set_handler(kIpiCall, run_call);
}

void ipi_send(Cpu& cpu, IpiWork work) {
    uint32_t before = cpu.ipi_pending.fetch_or(work, std::memory_order_acq_rel);
    if ((before & work) == 0) apic_send(cpu.apic_id, kVectorIpi);
}

void ipi_set_handler(IpiWork work, void (*handler)()) {
    handlers[std::countr_zero(static_cast<uint32_t>(work))] = handler;
}

void ipi_poll() {
    x86::pause();
    Cpu& cpu = this_cpu();
    if (cpu.ipi_pending.load(std::memory_order_relaxed) == 0) return;
    InterruptsOff off;
    run_pending(cpu);
}

CpuMask online_cpus() {
    CpuMask online = 0;
    for (uint32_t i = 0; i < cpu_count; i++) online |= CpuMask{cpus[i].online.load()} << i;
    return online;
}

void ipi_call(CpuMask targets, void (*function)(void*), void* argument) {
    while (call.busy.exchange(true, std::memory_order_acquire)) ipi_poll();
    call.function = function;
    call.argument = argument;
    targets &= online_cpus();
    CpuMask others = targets & ~(1u << this_cpu().id);
    call.unanswered.store(std::popcount(others), std::memory_order_release);
    for (uint32_t i = 0; i < cpu_count; i++) {
        if (((others >> i) & 1) != 0) ipi_send(cpus[i], kIpiCall);
    }
    if (targets != others) {
        InterruptsOff off;
        function(argument);
    }
    while (call.unanswered.load(std::memory_order_acquire) != 0) ipi_poll();
    call.busy.store(false, std::memory_order_release);
}

// By NMI: a CPU that spins with interrupts off would never see anything else. Its entry
// (trap_dispatch_paranoid) halts it, because panic_stops_this_cpu() says so.
void ipi_stop_others() {
    // Not this_cpu(): GS may not be set up yet.
    uint64_t self = x86::rdmsr(x86::kMsrGsBase);
    bool any = false;
    for (uint32_t i = 0; i < cpu_count; i++) {
        if (self == reinterpret_cast<uint64_t>(&cpus[i]) || !cpus[i].online.load()) continue;
        apic_send(cpus[i].apic_id, kSendNmi);
        any = true;
    }
    // Time for what they were printing to stop; nobody could tell us that they have.
    for (int i = 0; any && i < 100000; i++) x86::pause();
}
