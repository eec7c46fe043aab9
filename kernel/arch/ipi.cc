// Interprocessor interrupts: posted work and one vector.
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
#include "kernel/arch/ipi.h"

#include <bit>

#include "kernel/arch/apic.h"
#include "kernel/arch/traps.h"
#include "kernel/arch/x86.h"
#include "kernel/base/assert.h"

namespace {

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
    Cpu& cpu = this_cpu();
    if (cpu.ipi_pending.load(std::memory_order_relaxed) == 0) return;
    InterruptsOff off;
    run_pending(cpu);
}

void ipi_call(CpuMask targets, void (*function)(void*), void* argument) {
    while (call.busy.exchange(true, std::memory_order_acquire)) {
        ipi_poll();
        x86::pause();
    }
    call.function = function;
    call.argument = argument;
    Cpu& self = this_cpu();
    CpuMask online = 0;
    for (uint32_t i = 0; i < cpu_count; i++) online |= CpuMask{cpus[i].online.load()} << i;
    targets &= online;
    CpuMask others = targets & ~(1u << self.id);
    call.unanswered.store(std::popcount(others), std::memory_order_release);
    for (uint32_t i = 0; i < cpu_count; i++) {
        if (((others >> i) & 1) != 0) ipi_send(cpus[i], kIpiCall);
    }
    if (targets != others) {
        InterruptsOff off;
        function(argument);
    }
    while (call.unanswered.load(std::memory_order_acquire) != 0) {
        ipi_poll();
        x86::pause();
    }
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
