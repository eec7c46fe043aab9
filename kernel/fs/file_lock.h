// Advisory record locks of fcntl(2), owned by a process's descriptor table.
#pragma once
#include <cstdint>

#include "kernel/base/types.h"
#include "kernel/fs/file.h"

// Bytes [start, end) of a file. kToEnd: however long it becomes.
struct LockRange {
    static constexpr uint64_t kToEnd = ~0ull;
    uint64_t start = 0, end = kToEnd;
};
enum class LockType : int16_t { Read, Write, None };  // F_RDLCK, F_WRLCK, F_UNLCK

struct LockInfo {
    LockType type = LockType::None;
    LockRange range;
    int32_t pid = 0;  // whose, for F_GETLK
};

// Makes `wanted` the owner's lock of the range in place of what it held there (None:
// unlocks). A conflict with another owner is EAGAIN, or with `wait` a sleep: kERESTARTSYS
// when interrupted. ENOMEM.
Result<void> file_lock(Inode& inode, const void* owner, const LockInfo& wanted, bool wait);
// Finds the first lock of somebody else that stands in the way of `lock`, and puts it there.
bool file_lock_conflict(Inode& inode, const void* owner, LockInfo& lock);
// Drops all locks of `owner`: a process closed a descriptor of the file (POSIX fcntl: any
// close drops them all). Costs nothing until somebody locks a file.
void file_locks_drop(Inode& inode, const void* owner);
extern std::atomic<uint32_t> file_lock_calls;
inline void file_locks_release(Inode& inode, const void* owner) {
    if (file_lock_calls.load(std::memory_order_relaxed) != 0) file_locks_drop(inode, owner);
}
