// A futex has no object in the kernel: a waiter files itself under a key, a wake-up looks
// for the key. The key is the word's place: address space and address, or, for memory shared
// between processes, its physical address (the page is there while somebody uses the word,
// and cannot move; a waiter whose page went away merely misses its wake-up).
//
// No lost wake-ups: the waiter files itself first and reads the word afterwards; the waker
// changed the word before its call, which then takes the lock. Whoever gets that lock second
// sees what the other did. The word is read without the lock, since user memory may sleep.
//
// A waiter lives on the sleeping thread's stack. It is unlinked and woken under the lock,
// and the thread takes that before it leaves, so no waker is still at it then.
//
// One lock for all: it is held for a walk of one short list, and user programs come here only
// when they have to wait. A lock for each list would need two of them, in order, to requeue.
#include "kernel/task/process.h"

#include "kernel/mm/user_access.h"

namespace {

struct FutexKey {
    const void* space;  // nullptr: `address` is physical
    uint64_t address;
    bool operator==(const FutexKey&) const = default;
};

struct FutexWaiter {
    FutexKey key;
    std::atomic<bool> woken{false};
    ListLink link;
    WaitQueue queue;
};

using FutexList = List<FutexWaiter, &FutexWaiter::link>;
SpinLock futex_lock{LockRank::Futex};
FutexList lists[256] GUARDED_BY(futex_lock);

FutexList& list_of(const FutexKey& key) REQUIRES(futex_lock) {
    uint64_t mixed = (key.address >> 2) ^ (reinterpret_cast<uint64_t>(key.space) >> 6);
    mixed *= 0x9e3779b97f4a7c15;  // 2^64 / golden ratio: spreads neighbours
    return lists[mixed >> 56];
}

// Takes at most `count` waiters with the key out of their list and calls action(waiter) for
// each. Returns how many.
template <typename Action>
uint32_t take_waiters(const FutexKey& key, uint32_t count, Action action) REQUIRES(futex_lock) {
    uint32_t taken = 0;
    FutexList& list = list_of(key);
    FutexWaiter* next = list.front();
    while (next != nullptr && taken < count) {
        FutexWaiter* waiter = std::exchange(next, list.next(next));
        if (waiter->key != key) continue;
        list.remove(waiter);
        action(*waiter);
        taken++;
    }
    return taken;
}

void wake(FutexWaiter& waiter) {
    waiter.woken.store(true, std::memory_order_seq_cst);
    wake_all(waiter.queue);
}

Result<uint32_t> read_word(VirtAddr address) { return UserIn<uint32_t>(address).read(); }

Result<FutexKey> key_of(VirtAddr address, bool is_private) {
    if (!is_aligned(address, sizeof(uint32_t))) return Error(EINVAL);
    if (!is_user_range(address, sizeof(uint32_t))) return Error(EFAULT);
    AddressSpace* space = current_space();
    if (is_private) return FutexKey{space, address};
    for (;;) {
        (void)TRY(read_word(address));  // brings the page in
        MutexGuard guard(space->mutex);
        Region* region = space->find_region(address);
        if (region == nullptr) return Error(EFAULT);
        if (!region->shared) return FutexKey{space, address};
        auto place = page_map_translate(space->page_map, address);
        if (place.has_value()) return FutexKey{nullptr, place->address};
    }
}

}  // namespace

Result<void> futex_wait(VirtAddr address, uint32_t expected, uint64_t deadline_ns,
                        bool is_private) {
    FutexWaiter waiter;
    waiter.key = TRY(key_of(address, is_private));
    {
        SpinGuard guard(futex_lock);
        list_of(waiter.key).push_back(&waiter);
    }
    auto woken = [&] { return waiter.woken.load(std::memory_order_acquire); };
    auto sleep = [&]() -> Result<void> {
        if (TRY(read_word(address)) != expected) return Error(EAGAIN);
        return wait_until(waiter.queue, woken, WaitMode::Interruptible, deadline_ns);
    };
    Result<void> result = sleep();
    SpinGuard guard(futex_lock);
    if (waiter.link.linked()) FutexList::remove(&waiter);
    // A wake-up that was spent on us counts, whatever else happened.
    if (woken()) return {};
    return result;
}

Result<uint32_t> futex_wake(VirtAddr address, uint32_t count, bool is_private) {
    FutexKey key = TRY(key_of(address, is_private));
    SpinGuard guard(futex_lock);
    return take_waiters(key, count, wake);
}

Result<uint32_t> futex_requeue(VirtAddr from, VirtAddr to, uint32_t wake_count, uint32_t move,
                               bool is_private) {
    FutexKey from_key = TRY(key_of(from, is_private));
    FutexKey to_key = TRY(key_of(to, is_private));
    SpinGuard guard(futex_lock);
    uint32_t woken = take_waiters(from_key, wake_count, wake);
    if (from_key == to_key) return woken;
    return woken + take_waiters(from_key, move, [&](FutexWaiter& waiter) REQUIRES(futex_lock) {
        waiter.key = to_key;
        list_of(to_key).push_back(&waiter);
    });
}
