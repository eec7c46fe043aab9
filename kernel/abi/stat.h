// File types, modes and struct stat (Linux x86-64 asm/stat.h, POSIX sys/stat.h).
#pragma once
#include <cstdint>
#if __STDC_HOSTED__
#include <sys/stat.h>
#else
#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define S_IFLNK 0120000
#define S_IFREG 0100000
#define S_IFBLK 0060000
#define S_IFDIR 0040000
#define S_IFCHR 0020000
#define S_IFIFO 0010000
#define S_ISUID 04000
#define S_ISGID 02000
#define S_ISVTX 01000
#endif

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
