#include "grader/suites/2-paging/machine.h"

#include <algorithm>
#include <cstring>

#include "kernel/arch/x86.h"
#include "kernel/metrics/counters.h"
#include "kernel/sched/scheduler.h"

// ---- What the units and kernel/mm link against ----

alignas(kPageSize) static unsigned char ram[host::kRamEnd];
unsigned char* host_physical_memory = ram;
Cpu cpus[kMaxCpus];
uint32_t cpu_count = 4;
CpuFeatures cpu_features;
EventCounters event_counters[kMaxCpus];
uint8_t user_copy_rep;

static Thread threads[kMaxCpus];
static PageMap the_kernel_map;

PageMap& kernel_map() { return the_kernel_map; }
void evict_space(ActiveSpace&) {}

void SpinLock::lock_contended() {
    while (locked_.exchange(true, std::memory_order_acquire)) {
    }
}
void Mutex::lock_contended() { ADD_FAILURE() << "a mutex is taken twice"; }
void Mutex::unlock_contended() {}

static void note_flush(TlbBatch& batch) {
    if (!batch.empty()) ++host::shootdowns;
    host::flushed_everything |= batch.everything();
    for (uint32_t i = 0; !batch.everything() && i < batch.page_count(); ++i)
        host::flushed_pages.push_back(batch.page(i));
    batch.finish();
}
void tlb_shootdown(ActiveSpace&, TlbBatch& batch) { note_flush(batch); }
void tlb_shootdown_kernel(TlbBatch& batch) { note_flush(batch); }

// ---- The machine ----

namespace host {

std::vector<VirtAddr> flushed_pages;
bool flushed_everything;
uint32_t shootdowns;

void forget_flushes() {
    flushed_pages.clear();
    flushed_everything = false;
    shootdowns = 0;
}

bool was_flushed(VirtAddr page) {
    return flushed_everything || std::count(flushed_pages.begin(), flushed_pages.end(), page);
}

void become_cpu(uint32_t id) {
    cpus[id].self = &cpus[id];
    cpus[id].id = id;
    cpus[id].current = &threads[id];
    host_cpu = &cpus[id];
}

static void start_machine() {
    static bool started = false;
    if (started) return;
    started = true;
    // Memory is never zero when a kernel starts.
    memset(ram, 0xdd, sizeof(ram));
    cpu_features.nx = cpu_features.large_1g = true;
    frames_init();
    MemoryRange usable[] = {{kRamStart, kRamEnd, MemoryType::Available}};
    frame_table_init(usable);
    if (!page_map_create(the_kernel_map, nullptr).ok()) abort();
}

Shortage::Shortage(uint64_t left) {
    for (;;) {
        Result<Frame*> frame = frame_alloc();
        if (!frame.ok()) break;
        held_.push_back(frame.value());
    }
    for (; left > 0 && !held_.empty(); --left) {
        frame_unref(held_.back());
        held_.pop_back();
    }
}

Shortage::~Shortage() {
    for (Frame* frame : held_) frame_unref(frame);
}

uint64_t MachineTest::free_frames() { return frames_free(); }

void MachineTest::SetUp() {
    become_cpu(0);
    start_machine();
    for (uint32_t id = 4; id-- > 0;) {  // CPU 0 last: it runs the test
        become_cpu(id);
        frames_drain_cache();
    }
    forget_flushes();
    free_before_ = free_frames();
}

void MachineTest::TearDown() {
    become_cpu(0);
    EXPECT_EQ(free_frames(), free_before_)
        << "free frames after the test, and before: frames were lost or freed too often";
}

uint64_t raw_entry(const PageMap& map, VirtAddr address, int level) {
    PhysAddr table = map.root;
    for (int at = 4;; --at) {
        auto* entries = static_cast<uint64_t*>(phys_to_virt(table));
        uint64_t entry = entries[address >> (12 + 9 * (at - 1)) & 511];
        if (at == level || entry == 0) return entry;
        if ((entry & pte::kLarge) != 0) return 0;
        table = entry & pte::kAddressMask;
    }
}

}  // namespace host
