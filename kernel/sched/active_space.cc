// Which address space each CPU has loaded.
//
// Loading CR3 is the dearest thing in a switch, so a CPU that goes to a kernel thread keeps
// the user space it has ("lazily": nobody runs in it), and pays nothing when it comes back.
// The price is paid by two others: a shootdown must reach lazy CPUs too (there they let go
// of the space), and page tables may be freed only after evict_space.
//
// ActiveSpace::cpus is a superset of the CPUs whose TLB may hold translations of the space:
// the bit is set before CR3 is loaded and cleared after the next load. The locked
// instruction that sets it is a full fence, so either the initiator of a shootdown, which
// changes the page tables first and then reads the mask, sees the bit, or our page walks
// see the changed tables.
#include "kernel/arch/ipi.h"
#include "kernel/arch/x86.h"
#include "kernel/metrics/counters.h"
#include "kernel/sched/scheduler.h"

namespace {

PhysAddr kernel_map_root;

// `space` nullptr: the kernel's own map.
void load(Cpu& cpu, ActiveSpace* space, PhysAddr root) {
    ActiveSpace* old = cpu.active_space;
    CpuMask bit = 1u << cpu.id;
    if (space != nullptr) space->cpus.fetch_or(bit, std::memory_order_seq_cst);
    cpu.active_space = space;
    cpu.active_page_map = root;
    x86::write_cr3(root);
    count_event(Event::Cr3Loads);
    if (old != nullptr) old->cpus.fetch_and(~bit, std::memory_order_release);
}

void leave_if_active(void* space) {
    if (this_cpu().active_space == space) leave_space();
}

}  // namespace

void scheduler_set_kernel_root(PhysAddr root) { kernel_map_root = root; }

void switch_space(ActiveSpace* space) {
    if (space == nullptr) return;
    InterruptsOff off;
    Cpu& cpu = this_cpu();
    if (cpu.active_space != space) load(cpu, space, space->root);
}

void leave_space() {
    Cpu& cpu = this_cpu();
    if (cpu.active_space != nullptr) load(cpu, nullptr, kernel_map_root);
}

void evict_space(ActiveSpace& space) {
    CpuMask holders = space.cpus.load(std::memory_order_acquire);
    if (holders != 0) ipi_call(holders, leave_if_active, &space);
}
