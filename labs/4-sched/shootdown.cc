// Lab 4: TLB shootdown. Contracts: kernel/mm/page_map.h.
//
// This version interrupts every CPU for every page, one request at a time on the whole
// machine, and has all of them wait for the slowest. Send one interrupt a batch, only to
// the CPUs in ActiveSpace::cpus, and let CPUs that shoot at the same time do so in parallel
// (Cpu::shootdown_lab has room for your data).
#include "kernel/arch/smp.h"
#include "kernel/arch/x86.h"
#include "kernel/metrics/counters.h"
#include "kernel/mm/page_map.h"
#include "kernel/sync/spinlock.h"

namespace {

// The one request that is under way; `busy` belongs to its initiator.
std::atomic<bool> busy{false};
const TlbBatch* request = nullptr;
std::atomic<uint32_t> unanswered{0};

void handle_shootdown() {
    tlb_flush_local(*request);
    unanswered.fetch_sub(1);
}

void shoot_everywhere(const TlbBatch& batch) {
    while (busy.exchange(true)) ipi_poll();  // another CPU may be waiting for us
    request = &batch;
    tlb_flush_local(batch);
    for (uint32_t i = 0; i < cpu_count; ++i) {
        if (&cpus[i] == &this_cpu() || !cpus[i].online.load()) continue;
        unanswered.fetch_add(1);
        ipi_send(cpus[i], kIpiShootdown);
        count_event(Event::ShootdownIpis);
    }
    while (unanswered.load() != 0) ipi_poll();
    busy.store(false);
}

}  // namespace

void shootdown_init() { ipi_set_handler(kIpiShootdown, handle_shootdown); }

void tlb_shootdown_kernel(TlbBatch& batch) {
    check_may_sleep("tlb_shootdown");
    if (batch.everything()) shoot_everywhere(batch);
    for (uint32_t i = 0; i < batch.page_count() && !batch.everything(); ++i) {
        TlbBatch page;
        page.add_page(batch.page(i));
        shoot_everywhere(page);
        page.finish();
    }
    batch.finish();
}

void tlb_shootdown(ActiveSpace&, TlbBatch& batch) { tlb_shootdown_kernel(batch); }
