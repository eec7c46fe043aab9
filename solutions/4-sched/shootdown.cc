// Lab 4: TLB shootdown. Contracts: kernel/mm/page_map.h.
//
// The hardware does not keep TLBs of different CPUs alike. A CPU that takes a translation
// away (unmap, protect, copy on write) changes the page tables, flushes its own TLB, and has
// every other CPU that may have cached the translation flush its own, before the memory
// behind it is used for anything else.
//
// One interrupt a CPU and batch, whatever the number of pages: the request stands in the
// initiator's memory, a CPU that gets the interrupt reads it there and answers by clearing
// its bit. Only CPUs in ActiveSpace::cpus are asked (kernel/sched/scheduler.cc tells why
// that mask is enough); a CPU that has the space loaded but runs no thread of it lets go of
// it, so that the next shootdown leaves it in peace.
//
// Each CPU has at most one request of its own under way, because its thread waits here and
// is not preempted in the kernel. `callers` of a target says whose requests are new there.
#include "kernel/arch/smp.h"
#include "kernel/mm/page_map.h"
#include "kernel/sched/scheduler.h"

namespace {

struct Mailbox {
    // As target: the CPUs whose requests we have not read yet.
    std::atomic<CpuMask> callers{0};
    // As initiator: the request, and who has not answered it yet.
    const TlbBatch* batch = nullptr;
    ActiveSpace* space = nullptr;  // nullptr: kernel addresses
    alignas(kCacheLine) std::atomic<CpuMask> unanswered{0};
};

Mailbox& mailbox_of(Cpu& cpu) { return cpu.shootdown_lab.get<Mailbox>(); }

void flush_for(const Mailbox& request, Cpu& cpu) {
    if (request.space != nullptr && request.space != cpu.active_space) return;
    if (request.space != nullptr && request.space != cpu.current->space)
        leave_space();
    else
        tlb_flush_local(*request.batch);
}

void handle_shootdown() {
    Cpu& cpu = this_cpu();
    CpuMask bit = 1u << cpu.id;
    CpuMask callers = mailbox_of(cpu).callers.exchange(0, std::memory_order_acquire);
    for (uint32_t i = 0; callers >> i != 0; ++i) {
        if (((callers >> i) & 1) == 0) continue;
        Mailbox& request = mailbox_of(cpus[i]);
        flush_for(request, cpu);
        // Only now: the initiator frees the memory, and its batch, once all have answered.
        request.unanswered.fetch_and(~bit, std::memory_order_release);
    }
}

void shoot(CpuMask targets, ActiveSpace* space, const TlbBatch& batch) {
    Cpu& self = this_cpu();
    Mailbox& mine = mailbox_of(self);
    ASSERT(mine.unanswered.load(std::memory_order_relaxed) == 0);
    mine.batch = &batch;
    mine.space = space;
    mine.unanswered.store(targets, std::memory_order_relaxed);
    for (uint32_t i = 0; targets >> i != 0; ++i) {
        if (((targets >> i) & 1) == 0) continue;
        mailbox_of(cpus[i]).callers.fetch_or(1u << self.id, std::memory_order_release);
        ipi_send(cpus[i], kIpiShootdown);
        count_event(Event::ShootdownIpis);
    }
}

// Serves requests of others meanwhile: two initiators may be waiting for each other.
void wait_for_answers() {
    Mailbox& mine = mailbox_of(this_cpu());
    while (mine.unanswered.load(std::memory_order_acquire) != 0) ipi_poll();
}

}  // namespace

void shootdown_init() {
    for (Cpu& cpu : cpus) cpu.shootdown_lab.construct<Mailbox>();
    ipi_set_handler(kIpiShootdown, handle_shootdown);
}

void tlb_shootdown(ActiveSpace& space, TlbBatch& batch) {
    if (batch.empty()) return batch.finish();
    check_may_sleep("tlb_shootdown");
    // The changes of the page tables come before the look at who uses them.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    CpuMask users = space.cpus.load(std::memory_order_relaxed);
    CpuMask self = 1u << this_cpu().id;
    CpuMask others = users & ~self;
    if (others != 0) shoot(others, &space, batch);
    if ((users & self) != 0) tlb_flush_local(batch);
    if (others != 0) wait_for_answers();
    batch.finish();
}

void tlb_shootdown_kernel(TlbBatch& batch) {
    if (batch.empty()) return batch.finish();
    check_may_sleep("tlb_shootdown_kernel");
    CpuMask others = online_cpus() & ~(1u << this_cpu().id);
    if (others != 0) shoot(others, nullptr, batch);
    tlb_flush_local(batch);
    if (others != 0) wait_for_answers();
    batch.finish();
}
