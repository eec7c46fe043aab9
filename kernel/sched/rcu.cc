// Grace periods, by the shortest proof there is: a thread that has run on each CPU in turn
// has made each of them switch threads.
//
// What is retired is gathered for a while, so that one grace period, a switch on every CPU,
// serves many objects.
#include "kernel/sched/rcu.h"

#include "kernel/arch/tsc.h"
#include "kernel/sched/wait_queue.h"

namespace {

constexpr uint64_t kGatherNs = 10'000'000;
constexpr uint32_t kMany = 256;  // not to be gathered any longer

std::atomic<RcuObject*> retired{nullptr};
std::atomic<uint32_t> unfreed{0};
WaitQueue worker_queue;
WaitQueue throttled;

bool at_least(uint32_t count) { return unfreed.load(std::memory_order_relaxed) >= count; }

void wait_for_readers() {
    Thread& self = *current_thread();
    const CpuMask home = self.affinity.load(std::memory_order_relaxed);
    for (uint32_t i = 0; i < cpu_count; ++i)  // EINVAL: never came up
        (void)thread_set_affinity(self, CpuMask{1} << i);
    (void)thread_set_affinity(self, home);
}

void worker_main(void*) {
    for (;;) {
        (void)wait_until(worker_queue, [] { return at_least(1); }, WaitMode::Uninterruptible);
        (void)wait_until(worker_queue, [] { return at_least(kMany); },
                         WaitMode::Uninterruptible, monotonic_ns() + kGatherNs);
        RcuObject* batch = retired.exchange(nullptr, std::memory_order_acquire);
        wait_for_readers();
        while (batch != nullptr) {
            RcuObject* object = std::exchange(batch, batch->next_retired);
            object->free(object);
            unfreed.fetch_sub(1, std::memory_order_relaxed);
        }
        wake_all(throttled);
    }
}

}  // namespace

void rcu_retire(RcuObject* object, void (*free)(RcuObject*)) {
    object->free = free;
    uint32_t before = unfreed.fetch_add(1, std::memory_order_relaxed);
    RcuObject* first = retired.load(std::memory_order_relaxed);
    do {
        object->next_retired = first;
    } while (!retired.compare_exchange_weak(first, object, std::memory_order_release,
                                            std::memory_order_relaxed));
    if (before == 0 || before + 1 == kMany) wake_all(worker_queue);
}

void rcu_throttle() {
    (void)wait_until(throttled, [] { return !at_least(4 * kMany); }, WaitMode::Uninterruptible);
}

Result<void> rcu_start() {
    thread_start(*TRY(thread_create("rcu", worker_main, nullptr)));
    return {};
}
