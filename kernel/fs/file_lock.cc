// Advisory locks: a list per inode behind one Mutex and one wait queue for all, since
// locks are rare and short (SQLite takes four a transaction). Deadlocks between waiting
// owners are not looked for: F_SETLKW may then sleep until a signal.
//
// Lock order: lock_table (rank Inode) alone; the caller holds no inode's Mutex.
#include "kernel/fs/file_lock.h"

#include <algorithm>

#include "kernel/mm/slab.h"
#include "kernel/sched/wait_queue.h"

struct FileLock {
    const void* owner;
    int32_t pid;
    LockType type;
    LockRange range;
    ListLink link;
};

struct FileLocks {
    List<FileLock, &FileLock::link> list;
};

namespace {

Mutex lock_table{LockRank::Inode};
WaitQueue lock_released;

bool overlaps(const LockRange& a, const LockRange& b) {
    return a.start < b.end && b.start < a.end;
}

FileLock* find_conflict(Inode& inode, const void* owner, LockType type,
                        const LockRange& range) REQUIRES(lock_table) {
    if (inode.locks == nullptr) return nullptr;
    for (FileLock& lock : inode.locks->list) {
        bool exclusive = type == LockType::Write || lock.type == LockType::Write;
        if (lock.owner != owner && exclusive && overlaps(lock.range, range))
            return &lock;
    }
    return nullptr;
}

// Takes [range] out of the owner's locks, cutting those that reach beyond it. `spare`
// serves for the one that may fall in two; returns it, or nullptr when used.
FileLock* cut(Inode& inode, const void* owner, const LockRange& range, FileLock* spare)
    REQUIRES(lock_table) {
    auto& list = inode.locks->list;
    for (FileLock *lock = list.front(), *next; lock != nullptr; lock = next) {
        next = list.next(lock);
        if (lock->owner != owner || !overlaps(lock->range, range)) continue;
        bool head = lock->range.start < range.start;
        bool tail = lock->range.end > range.end;
        if (head && tail) {
            *spare = {owner, lock->pid, lock->type, {range.end, lock->range.end}, {}};
            list.push_back(spare);
            spare = nullptr;
        }
        if (head) {
            lock->range.end = range.start;
        } else if (tail) {
            lock->range.start = range.end;
        } else {
            list.remove(lock);
            destroy(lock);
        }
    }
    return spare;
}

}  // namespace

Result<void> file_lock(Inode& inode, const void* owner, int32_t pid, LockType type,
                       LockRange range, bool wait) {
    FileLock* lock = TRY(make<FileLock>(owner, pid, type, range, ListLink{}));
    auto spare = make<FileLock>();
    Result<void> result = spare.ok() ? Result<void>() : spare.error();
    while (result.ok()) {
        {
            MutexGuard guard(lock_table);
            if (inode.locks == nullptr) {
                auto locks = make<FileLocks>();
                if (!locks.ok()) {
                    result = locks.error();
                    break;
                }
                inode.locks = locks.value();
            }
            if (find_conflict(inode, owner, type, range) == nullptr) {
                destroy(cut(inode, owner, range, spare.value()));
                inode.locks->list.push_back(lock);
                wake_all(lock_released);  // a downgrade may let readers in
                return {};
            }
        }
        if (!wait) {
            result = Error(EAGAIN);
            break;
        }
        result = wait_until(lock_released, [&] {
            MutexGuard guard(lock_table);
            return find_conflict(inode, owner, type, range) == nullptr;
        });
    }
    destroy(lock);
    if (spare.ok()) destroy(spare.value());
    return result;
}

Result<void> file_unlock(Inode& inode, const void* owner, LockRange range) {
    FileLock* spare = TRY(make<FileLock>());
    {
        MutexGuard guard(lock_table);
        if (inode.locks != nullptr) spare = cut(inode, owner, range, spare);
    }
    destroy(spare);
    wake_all(lock_released);
    return {};
}

bool file_lock_conflict(Inode& inode, const void* owner, LockType type, LockRange range,
                        LockInfo& out) {
    MutexGuard guard(lock_table);
    FileLock* lock = find_conflict(inode, owner, type, range);
    if (lock == nullptr) return false;
    out = {lock->type, lock->range, lock->pid};
    return true;
}

void file_locks_release(Inode& inode, const void* owner) {
    {
        MutexGuard guard(lock_table);
        if (inode.locks == nullptr) return;
        cut(inode, owner, {}, nullptr);  // everything: no lock falls in two
    }
    wake_all(lock_released);
}

void file_locks_destroy(Inode& inode) {
    if (inode.locks == nullptr) return;
    ASSERT(inode.locks->list.empty());
    destroy(inode.locks);
}
