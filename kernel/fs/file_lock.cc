// Advisory locks: one list for all files behind one Mutex and one wait queue, since locks
// are few and short (SQLite takes four a transaction). Deadlocks between waiting owners
// are not looked for: F_SETLKW may then sleep until a signal.
//
// Lock order: lock_table (rank Inode) alone; the caller holds no inode's Mutex.
#include "kernel/fs/file.h"

#include "kernel/mm/slab.h"

namespace {

struct FileLock : LockInfo {
    Inode* inode = nullptr;
    const void* owner = nullptr;
    ListLink link;
};

struct LockList : List<FileLock, &FileLock::link> {
    ~LockList() {
        while (FileLock* lock = pop_front()) destroy(lock);
    }
};

Mutex lock_table{LockRank::Inode};
LockList locks GUARDED_BY(lock_table);
WaitQueue lock_released;

bool overlaps(const LockRange& a, const LockRange& b) {
    return a.start < b.end && b.start < a.end;
}

FileLock* find_conflict(Inode& inode, const void* owner, LockType type,
                        const LockRange& range) REQUIRES(lock_table) {
    if (type == LockType::None) return nullptr;
    for (FileLock& lock : locks) {
        bool exclusive = type == LockType::Write || lock.type == LockType::Write;
        if (lock.inode == &inode && lock.owner != owner && exclusive &&
            overlaps(lock.range, range))
            return &lock;
    }
    return nullptr;
}

// Takes [range] out of the owner's locks, cutting those that reach beyond it. One may fall
// in two: the second part is taken from `spares`.
void cut(Inode& inode, const void* owner, const LockRange& range, LockList& spares)
    REQUIRES(lock_table) {
    for (FileLock *lock = locks.front(), *next; lock != nullptr; lock = next) {
        next = locks.next(lock);
        if (lock->inode != &inode || lock->owner != owner || !overlaps(lock->range, range))
            continue;
        bool head = lock->range.start < range.start;
        bool tail = lock->range.end > range.end;
        if (head && tail) {
            FileLock* second = spares.pop_front();
            *second = *lock;
            second->link = {};
            second->range.start = range.end;
            locks.push_back(second);
        }
        if (head) {
            lock->range.end = range.start;
        } else if (tail) {
            lock->range.start = range.end;
        } else {
            locks.remove(lock);
            spares.push_back(lock);
        }
    }
}

}  // namespace

std::atomic<uint32_t> file_lock_calls{0};

Result<void> file_lock(Inode& inode, const void* owner, const LockInfo& wanted, bool wait) {
    LockList spares;  // the lock, and what may be cut off from an old one
    for (int i = 0; i < 2; i++) spares.push_back(TRY(make<FileLock>()));
    file_lock_calls.fetch_add(1, std::memory_order_relaxed);
    for (;;) {
        {
            MutexGuard guard(lock_table);
            if (find_conflict(inode, owner, wanted.type, wanted.range) == nullptr) {
                cut(inode, owner, wanted.range, spares);
                if (wanted.type != LockType::None) {
                    FileLock* lock = spares.pop_front();
                    *lock = {wanted, &inode, owner, {}};
                    locks.push_back(lock);
                }
                wake_all(lock_released);  // an unlock, or a downgrade that lets readers in
                return {};
            }
        }
        if (!wait) return Error(EAGAIN);
        TRY(wait_until(lock_released, [&] {
            MutexGuard guard(lock_table);
            return find_conflict(inode, owner, wanted.type, wanted.range) == nullptr;
        }));
    }
}

bool file_lock_conflict(Inode& inode, const void* owner, LockInfo& lock) {
    MutexGuard guard(lock_table);
    FileLock* other = find_conflict(inode, owner, lock.type, lock.range);
    if (other != nullptr) lock = *other;
    return other != nullptr;
}

void file_locks_drop(Inode& inode, const void* owner) {
    LockList dropped;
    {
        MutexGuard guard(lock_table);
        cut(inode, owner, {}, dropped);  // everything: no lock falls in two
    }
    if (!dropped.empty()) wake_all(lock_released);
}
