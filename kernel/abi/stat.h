// File types, modes and struct stat (Linux x86-64 asm/stat.h, POSIX sys/stat.h).
#pragma once
#include <cstdint>
#include <sys/stat.h>

namespace abi {
struct Stat {
    uint64_t dev, ino, nlink;
    uint32_t mode, uid, gid, pad0;
    uint64_t rdev;
    int64_t size, blksize, blocks;
    uint64_t atime, atime_nsec, mtime, mtime_nsec, ctime, ctime_nsec;
    int64_t unused[3];
};
static_assert(sizeof(Stat) == 144);
}  // namespace abi
