// Lab 4: the run queue. Contracts: kernel/sched/run_queue.h.
//
// This version is one queue for all CPUs, first come first served, under one lock: every
// wake-up and every switch on any CPU waits for it. Give each CPU a queue and a lock of its
// own (Cpu::sched_lab), let a CPU whose queue is empty steal from another, and if you like
// make the order fair.
#include "kernel/sched/run_queue.h"

#include "kernel/base/log.h"
#include "kernel/sync/spinlock.h"

namespace {

constexpr uint64_t kSliceNs = 10'000'000;

struct Entity {
    ListLink link;
    Thread* thread = nullptr;
    CpuMask counted_for = 0;  // CPUs whose length counts it
    uint64_t slice_used = 0;  // ns since it was picked
};

SpinLock lock{LockRank::RunQueue};
List<Entity, &Entity::link> entities GUARDED_BY(lock);
// For each CPU, the queued threads that may run there.
std::atomic<uint32_t> lengths[kMaxCpus];

Entity& entity_of(Thread& thread) { return thread.sched_lab.get<Entity>(); }

void count(CpuMask mask, int32_t change) REQUIRES(lock) {
    for (uint32_t i = 0; i < kMaxCpus; ++i) {
        if (((mask >> i) & 1) != 0) lengths[i].fetch_add(change);
    }
}

void take_out(Entity& entity) REQUIRES(lock) {
    entities.remove(&entity);
    count(entity.counted_for, -1);
}

}  // namespace

void run_queue_init_cpu(Cpu&) {}

void run_queue_init_thread(Thread& thread) {
    thread.sched_lab.construct<Entity>().thread = &thread;
}

void run_queue_destroy_thread(Thread& thread) {
    ASSERT(!entity_of(thread).link.linked());
    thread.sched_lab.destroy<Entity>();
}

bool run_queue_add(Cpu& cpu, Thread& thread, AddReason) {
    Entity& entity = entity_of(thread);
    SpinHold hold(lock);
    entity.counted_for = thread.affinity.load();
    thread.cpu.store(cpu.id);
    entities.push_back(&entity);
    count(entity.counted_for, +1);
    return false;
}

Thread* run_queue_pick(Cpu& cpu) {
    SpinHold hold(lock);
    for (Entity* e = entities.front(); e != nullptr; e = entities.next(e)) {
        Thread& thread = *e->thread;
        if (((thread.affinity.load() >> cpu.id) & 1) == 0) continue;
        // Still running elsewhere: its registers are not saved yet.
        if (thread.on_cpu.load() && &thread != cpu.current) continue;
        take_out(*e);
        thread.cpu.store(cpu.id);
        e->slice_used = 0;
        return &thread;
    }
    return nullptr;
}

bool run_queue_remove(Thread& thread) {
    Entity& entity = entity_of(thread);
    SpinGuard guard(lock);
    if (!entity.link.linked() || thread.on_cpu.load()) return false;
    take_out(entity);
    return true;
}

bool run_queue_charge(Cpu& cpu, Thread& running, uint64_t ns) {
    Entity& entity = entity_of(running);
    entity.slice_used += ns;
    return entity.slice_used >= kSliceNs && run_queue_length(cpu) != 0;
}

uint32_t run_queue_length(const Cpu& cpu) { return lengths[cpu.id].load(); }
