// Lab 4: one run queue a CPU, fair by virtual time, stealing when empty. Contracts:
// kernel/sched/run_queue.h.
//
// Every thread has a virtual time that advances while it runs; the one that is furthest
// behind runs next. A queue is a list sorted by it. A heap would be better for hundreds of threads on one CPU; at the lengths that occur a list is
// shorter in code and in instructions, because nearly all insertions are at an end: a
// thread whose slice is over is ahead of the others, a thread that slept is behind.
//
// Virtual times are compared by the sign of their difference, so they may wrap.
//
// Each queue has its own lock; its length can be read without. A thief takes the victim's
// lock alone and runs what it took at once, so two queue locks are never held together and
// no order between them is needed. Two kinds of queued threads are not for taking: a thread
// that may not run here, and one that is still on_cpu, whose registers are not saved yet.
#include "kernel/sched/run_queue.h"

#include "kernel/metrics/counters.h"

namespace {

// How long a thread runs when others wait.
constexpr uint64_t kSliceNs = 4'000'000;
// A woken thread that is further behind than this does not wait for the slice's end.
constexpr int64_t kWakeupLeadNs = 1'000'000;

struct Entity {
    ListLink link;
    Thread* thread = nullptr;
    uint64_t vruntime = 0;
    uint64_t slice_used = 0;  // ns since it was picked
};

struct Queue {
    SpinLock lock{LockRank::RunQueue};
    List<Entity, &Entity::link> entities GUARDED_BY(lock);
    std::atomic<uint32_t> length{0};  // written under the lock
    // Where threads that come from elsewhere start: follows the least virtual time here and
    // never goes back. Advanced by the CPU itself, read by all.
    std::atomic<uint64_t> floor{0};
    std::atomic<uint64_t> running_vruntime{0};  // of what the CPU runs
};

Queue& queue_of(Cpu& cpu) { return cpu.sched_lab.get<Queue>(); }
Entity& entity_of(Thread& thread) { return thread.sched_lab.get<Entity>(); }

bool before(uint64_t a, uint64_t b) { return static_cast<int64_t>(a - b) < 0; }
uint64_t later_of(uint64_t a, uint64_t b) { return before(a, b) ? b : a; }

void set_length(Queue& queue, int32_t change) REQUIRES(queue.lock) {
    queue.length.store(queue.length.load(std::memory_order_relaxed) + change,
                       std::memory_order_relaxed);
}

// From the end at which its place is likely to be; behind its equals.
void insert(Queue& queue, Entity& entity, AddReason reason) REQUIRES(queue.lock) {
    if (reason == AddReason::New || reason == AddReason::Woken) {
        Entity* later = queue.entities.front();
        while (later != nullptr && !before(entity.vruntime, later->vruntime))
            later = queue.entities.next(later);
        if (later != nullptr) return queue.entities.insert_before(later, &entity);
        return queue.entities.push_back(&entity);
    }
    Entity* later = nullptr;
    for (Entity* e = queue.entities.back(); e != nullptr; e = queue.entities.prev(e)) {
        if (!before(entity.vruntime, e->vruntime)) break;
        later = e;
    }
    if (later != nullptr) return queue.entities.insert_before(later, &entity);
    queue.entities.push_back(&entity);
}

// Virtual times of two CPUs have nothing to do with each other: a thread that changes CPUs
// keeps its distance to the floor.
void rebase(Entity& entity, Queue& from, Queue& to) {
    entity.vruntime += to.floor.load(std::memory_order_relaxed) -
                       from.floor.load(std::memory_order_relaxed);
}

Thread* start_slice(Queue& queue, Entity& entity) {
    entity.slice_used = 0;
    queue.running_vruntime.store(entity.vruntime, std::memory_order_relaxed);
    return entity.thread;
}

// The waiting thread of `victim` that is furthest behind and that `cpu` may run, or nullptr.
Thread* steal_from(Cpu& victim, Cpu& cpu) {
    Queue& queue = queue_of(victim);
    SpinHold hold(queue.lock);
    for (Entity* e = queue.entities.front(); e != nullptr; e = queue.entities.next(e)) {
        Thread& thread = *e->thread;
        if (((thread.affinity.load(std::memory_order_relaxed) >> cpu.id) & 1) == 0) continue;
        // Acquire: pairs with the store that says its registers are saved.
        if (thread.on_cpu.load(std::memory_order_acquire)) continue;
        queue.entities.remove(e);
        set_length(queue, -1);
        thread.cpu.store(cpu.id, std::memory_order_relaxed);
        rebase(*e, queue, queue_of(cpu));
        return &thread;
    }
    return nullptr;
}

// From the longest queue; if it has nothing for us, from the next longest.
Thread* steal(Cpu& cpu) {
    CpuMask tried = 1u << cpu.id;
    for (;;) {
        Cpu* victim = nullptr;
        uint32_t longest = 0;
        for (uint32_t i = 0; i < cpu_count; ++i) {
            uint32_t length = run_queue_length(cpus[i]);
            if (((tried >> i) & 1) != 0 || length <= longest) continue;
            victim = &cpus[i];
            longest = length;
        }
        if (victim == nullptr) return nullptr;
        if (Thread* thread = steal_from(*victim, cpu)) {
            count_event(Event::Steals);
            return thread;
        }
        tried |= 1u << victim->id;
    }
}

}  // namespace

void run_queue_init_cpu(Cpu& cpu) { cpu.sched_lab.construct<Queue>(); }

void run_queue_init_thread(Thread& thread) {
    thread.sched_lab.construct<Entity>().thread = &thread;
}

void run_queue_destroy_thread(Thread& thread) {
    ASSERT(!entity_of(thread).link.linked());
    thread.sched_lab.destroy<Entity>();
}

bool run_queue_add(Cpu& cpu, Thread& thread, AddReason reason) {
    Queue& queue = queue_of(cpu);
    Entity& entity = entity_of(thread);
    SpinHold hold(queue.lock);
    uint32_t last = thread.cpu.load(std::memory_order_relaxed);
    if (reason == AddReason::New) {
        entity.vruntime = queue.floor.load(std::memory_order_relaxed);
    } else if (last != cpu.id) {
        rebase(entity, queue_of(cpus[last]), queue);
    }
    // A sleeper may use what it missed, but not save up more than a slice: else it would
    // keep all others off for as long as it slept.
    if (reason == AddReason::Woken)
        entity.vruntime = later_of(
            entity.vruntime, queue.floor.load(std::memory_order_relaxed) - kSliceNs);
    if (Entity* back = queue.entities.back(); reason == AddReason::Yielded && back != nullptr)
        entity.vruntime = later_of(entity.vruntime, back->vruntime);
    thread.cpu.store(cpu.id, std::memory_order_relaxed);
    insert(queue, entity, reason);
    set_length(queue, +1);
    uint64_t running = queue.running_vruntime.load(std::memory_order_relaxed);
    return reason == AddReason::Woken &&
           static_cast<int64_t>(running - entity.vruntime) > kWakeupLeadNs;
}

Thread* run_queue_pick(Cpu& cpu) {
    Queue& queue = queue_of(cpu);
    if (queue.length.load(std::memory_order_relaxed) != 0) {
        SpinHold hold(queue.lock);
        if (Entity* first = queue.entities.pop_front()) {
            set_length(queue, -1);
            queue.floor.store(
                later_of(queue.floor.load(std::memory_order_relaxed), first->vruntime),
                std::memory_order_relaxed);
            return start_slice(queue, *first);
        }
    }
    if (cpu_count == 1) return nullptr;
    Thread* stolen = steal(cpu);
    return stolen == nullptr ? nullptr : start_slice(queue, entity_of(*stolen));
}

// The thread may be on its way from one queue to another while we look for its lock.
bool run_queue_remove(Thread& thread) {
    Entity& entity = entity_of(thread);
    for (;;) {
        uint32_t index = thread.cpu.load(std::memory_order_relaxed);
        Queue& queue = queue_of(cpus[index]);
        SpinGuard guard(queue.lock);
        if (thread.cpu.load(std::memory_order_relaxed) != index) continue;
        if (!entity.link.linked() || thread.on_cpu.load(std::memory_order_acquire))
            return false;
        queue.entities.remove(&entity);
        set_length(queue, -1);
        return true;
    }
}

bool run_queue_charge(Cpu& cpu, Thread& running, uint64_t ns) {
    Queue& queue = queue_of(cpu);
    Entity& entity = entity_of(running);
    entity.vruntime += ns;
    entity.slice_used += ns;
    queue.running_vruntime.store(entity.vruntime, std::memory_order_relaxed);
    uint64_t floor = queue.floor.load(std::memory_order_relaxed);
    if (queue.length.load(std::memory_order_relaxed) == 0) {
        queue.floor.store(later_of(floor, entity.vruntime), std::memory_order_relaxed);
        return false;
    }
    if (entity.slice_used < kSliceNs) return false;
    SpinHold hold(queue.lock);
    Entity* first = queue.entities.front();
    return first != nullptr && before(first->vruntime, entity.vruntime);
}

uint32_t run_queue_length(const Cpu& cpu) {
    return const_cast<Cpu&>(cpu).sched_lab.get<Queue>().length.load(
        std::memory_order_relaxed);
}
