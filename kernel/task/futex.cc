// A futex has no object in the kernel: a waiter files itself under a key, a wake-up looks
// for the key. The key is the word's place: address space and address, or, for memory shared
// between processes, its physical address (the page is there while somebody uses the word,
// and cannot move; a waiter whose page went away merely misses its wake-up).
//
// No lost wake-ups: the waiter files itself first and reads the word afterwards; the waker
// changed the word before its call, which then takes the bucket's lock. Whoever gets that
// lock second sees what the other did. The word is read without the lock, since user memory
// may sleep.
//
// A waiter lives on the sleeping thread's stack. It is unlinked and woken under its bucket's
// lock, and the thread takes that lock before it leaves, so no waker is still at it then.
#include "kernel/task/futex.h"

#include "kernel/mm/address_space.h"
#include "kernel/mm/user_access.h"
#include "kernel/sched/wait_queue.h"
#include "kernel/sync/spinlock.h"

namespace {

struct FutexKey {
    const void* space;  // nullptr: `address` is physical
    uint64_t address;
    bool operator==(const FutexKey&) const = default;
};

struct FutexWaiter {
    FutexKey key;
    uint32_t bits;
    std::atomic<bool> woken{false};
    ListLink link;
    WaitQueue queue;
};

struct FutexBucket {
    SpinLock lock{LockRank::Futex};
    List<FutexWaiter, &FutexWaiter::link> waiters GUARDED_BY(lock);
};

constexpr uint32_t kBucketCount = 256;
FutexBucket buckets[kBucketCount];

FutexBucket& bucket_of(const FutexKey& key) {
    uint64_t mixed = (key.address >> 2) ^ (reinterpret_cast<uint64_t>(key.space) >> 6);
    mixed *= 0x9e3779b97f4a7c15;  // 2^64 / golden ratio: spreads neighbours
    return buckets[mixed >> 56];
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

Result<void> futex_wait(VirtAddr address, uint32_t expected, uint32_t bits,
                        uint64_t deadline_ns, bool is_private) {
    if (bits == 0) return Error(EINVAL);
    FutexWaiter waiter;
    waiter.key = TRY(key_of(address, is_private));
    waiter.bits = bits;
    FutexBucket& bucket = bucket_of(waiter.key);
    {
        SpinGuard guard(bucket.lock);
        bucket.waiters.push_back(&waiter);
    }
    Result<void> result;
    Result<uint32_t> word = read_word(address);
    if (!word.ok()) {
        result = word.error();
    } else if (word.value() != expected) {
        result = Error(EAGAIN);
    } else {
        result = wait_until(
            waiter.queue, [&] { return waiter.woken.load(std::memory_order_acquire); },
            WaitMode::Interruptible, deadline_ns);
    }
    SpinGuard guard(bucket.lock);
    if (waiter.link.linked()) bucket.waiters.remove(&waiter);
    // A wake-up that was spent on us counts, whatever else happened.
    if (waiter.woken.load(std::memory_order_relaxed)) return {};
    return result;
}

Result<uint32_t> futex_wake(VirtAddr address, uint64_t count, uint32_t bits,
                            bool is_private) {
    if (bits == 0) return Error(EINVAL);
    FutexKey key = TRY(key_of(address, is_private));
    FutexBucket& bucket = bucket_of(key);
    SpinGuard guard(bucket.lock);
    uint32_t woken = 0;
    FutexWaiter* waiter = bucket.waiters.front();
    while (waiter != nullptr && woken < count) {
        FutexWaiter* next = bucket.waiters.next(waiter);
        if (waiter->key == key && (waiter->bits & bits) != 0) {
            bucket.waiters.remove(waiter);
            waiter->woken.store(true, std::memory_order_seq_cst);
            wake_all(waiter->queue);
            woken++;
        }
        waiter = next;
    }
    return woken;
}

// ---- Robust lists (Documentation/robust-futex-ABI of Linux) ----

namespace {

constexpr uint32_t kWordTid = 0x3fffffff, kWordOwnerDied = 0x40000000, kWordWaiters = 0x80000000;
constexpr uint32_t kMaxRobustLocks = 2048;  // a list may be a loop

struct RobustListHead {  // struct robust_list_head
    uint64_t first;
    int64_t word_offset;  // from an entry to its futex word
    uint64_t pending;     // an entry just being locked or unlocked, or 0
};

// Meanwhile others can only add kWordWaiters to the word, and one who loses that bit to our
// write is not asleep yet or is the one we wake: no compare and exchange is needed.
void abandon(VirtAddr address, uint32_t tid) {
    Result<uint32_t> word = read_word(address);
    if (!word.ok() || (word.value() & kWordTid) != tid) return;
    uint32_t abandoned = (word.value() & kWordWaiters) | kWordOwnerDied;
    if (!UserOut<uint32_t>(address).write(abandoned).ok()) return;
    (void)futex_wake(address, 1, kFutexAnyBits, false);
}

}  // namespace

void futex_release_robust_list(Thread& thread) {
    Result<RobustListHead> read = UserIn<RobustListHead>(thread.robust_list).read();
    if (!read.ok()) return;
    const RobustListHead& head = read.value();
    auto word_of = [&](uint64_t entry) {
        return (entry & ~uint64_t{1}) + static_cast<uint64_t>(head.word_offset);  // bit 0: PI
    };
    auto tid = static_cast<uint32_t>(thread.tid);
    uint64_t entry = head.first;
    for (uint32_t i = 0; i < kMaxRobustLocks && entry != thread.robust_list; i++) {
        Result<uint64_t> next = UserIn<uint64_t>(entry & ~uint64_t{1}).read();
        if (entry != head.pending) abandon(word_of(entry), tid);
        if (!next.ok()) return;
        entry = next.value();
    }
    if (head.pending != 0) abandon(word_of(head.pending), tid);
}
