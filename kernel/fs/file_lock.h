// Advisory record locks of fcntl(2), owned by a process's descriptor table. An inode that
// was never locked has no table.
#pragma once
#include <cstdint>

#include "kernel/base/result.h"
#include "kernel/fs/inode.h"

// Bytes [start, end) of a file. kToEnd: however long it becomes.
struct LockRange {
    static constexpr uint64_t kToEnd = ~0ull;
    uint64_t start = 0, end = kToEnd;
};
enum class LockType : uint8_t { Read, Write };

struct LockInfo {  // a conflicting lock, for F_GETLK
    LockType type;
    LockRange range;
    int32_t pid;
};

// Locks the range for `owner`, replacing what it held there (up- or downgrades). A
// conflict with another owner is EAGAIN, or with `wait` a sleep: kERESTARTSYS when
// interrupted. ENOMEM. `pid` is for F_GETLK only.
Result<void> file_lock(Inode& inode, const void* owner, int32_t pid, LockType type,
                       LockRange range, bool wait);
Result<void> file_unlock(Inode& inode, const void* owner, LockRange range);
// The first lock of somebody else that would stand in the way. False: none.
bool file_lock_conflict(Inode& inode, const void* owner, LockType type, LockRange range,
                        LockInfo& out);
// Drops all locks of `owner`: a process closed a descriptor of the file (POSIX fcntl: any
// close drops them all).
void file_locks_release(Inode& inode, const void* owner);
void file_locks_destroy(Inode& inode);  // with the inode itself
