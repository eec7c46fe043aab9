// Inode: a file, directory, link or device, apart from its names. File systems derive from
// it. References: each directory entry, open file, mapping, mount and working directory
// holds one; the last gone destroys it when no name is left (tmpfs).
#pragma once
#include <atomic>
#include <cstdint>
#include <string_view>

#include "kernel/abi/stat.h"
#include "kernel/base/ref.h"
#include "kernel/base/result.h"
#include "kernel/base/types.h"
#include "kernel/mm/address_space.h"
#include "kernel/mm/slab.h"
#include "kernel/sched/mutex.h"

class File;
class FileSystem;
class Inode;

struct TimeSpec {  // struct timespec of the Linux ABI
    int64_t seconds;
    int64_t nanoseconds;
};

// Metadata as stat(2) shows it.
struct Attributes {
    uint32_t mode = 0;  // S_IF* and permissions
    uint32_t uid = 0, gid = 0;
    uint32_t links = 1;
    uint64_t size = 0;
    uint64_t blocks = 0;  // of 512 bytes
    uint64_t device = 0;  // of a device node: (major << 8) | minor
    TimeSpec accessed{}, modified{}, changed{};
};

// What getdents64 lists. Returns false to stop (buffer full).
using DirectoryVisitor = bool (*)(void* context, std::string_view name, uint64_t inode,
                                  uint8_t type, uint64_t next_position);

class Inode {
  public:
    void ref() { references_.fetch_add(1, std::memory_order_relaxed); }
    void unref();

    uint32_t type() const { return attributes.mode & S_IFMT; }
    // May it be run? All that permissions decide: the one user is root.
    bool executable() const { return type() != S_IFREG || (attributes.mode & 0111) != 0; }
    bool is_directory() const { return type() == S_IFDIR; }

    // ---- directories; the caller holds this->mutex, names are single components ----
    // Returns a reference. ENOENT. "." and ".." are the path walk's business.
    virtual Result<Inode*> lookup(std::string_view) { return Error(ENOTDIR); }
    // Makes a new inode (mode has the type; `device` for nodes; `target` for symlinks) under
    // `name`, which does not exist. Returns a reference.
    virtual Result<Inode*> create(std::string_view, uint32_t, uint64_t, std::string_view) {
        return Error(EROFS);
    }
    virtual Result<void> link(std::string_view, Inode&) { return Error(EROFS); }
    // unlink(2) or, for a directory, rmdir(2): ENOTEMPTY.
    virtual Result<void> unlink(std::string_view, Inode&) { return Error(EROFS); }
    // Moves `name` to `new_name` in `new_parent` (both mutexes held), replacing `replaced`
    // (nullptr: nothing there). Same file system.
    virtual Result<void> rename(std::string_view, Inode&, Inode&, std::string_view, Inode*) {
        return Error(EROFS);
    }
    // Lists entries from `position` (0: the first), "." and ".." included.
    virtual Result<void> list(uint64_t, DirectoryVisitor, void*) { return Error(ENOTDIR); }
    // Of a directory, borrowed; root: itself; nullptr: it was removed. Under vfs_tree_lock,
    // which keeps the answer alive until the caller took a reference.
    virtual Inode* parent() { return nullptr; }
    // The name under which the parent has this directory, for getcwd(2), without NUL. Returns
    // its length; 0: unknown, or longer than the room. Under vfs_tree_lock.
    virtual size_t name_in_parent(char*, size_t) { return 0; }

    // ---- all ----
    // Opens it: a new File with one reference; flags are O_*. The permission is checked.
    virtual Result<File*> open(uint32_t flags);
    // The length of the text, of which up to `size` bytes are written.
    virtual Result<size_t> read_link(char*, size_t) { return Error(EINVAL); }
    // A symlink that leads straight to an inode (/proc/<pid>/fd): a reference, or nullptr when
    // the text of read_link is to be followed.
    virtual Result<Inode*> link_target() { return nullptr; }
    virtual Result<void> truncate(uint64_t) { return Error(EINVAL); }
    // Fills a fresh copy of the metadata (procfs computes it, tmpfs copies).
    virtual Attributes stat() { return attributes; }
    // For mmap(2) and exec; nullptr: cannot be mapped.
    virtual PageSource* page_source() { return nullptr; }

    Attributes attributes;
    uint64_t number = 0;       // st_ino
    FileSystem* file_system = nullptr;
    Inode* mounted = nullptr;  // root of the file system mounted on this directory
    Mutex mutex;                 // rank Directory or Inode

  protected:
    explicit Inode(uint32_t mode)
        : mutex((mode & S_IFMT) == S_IFDIR ? LockRank::Directory : LockRank::Inode) {
        attributes.mode = mode;
    }
    virtual ~Inode();
    // The last reference is gone.
    virtual void destroy_self() { delete this; }
    static void operator delete(void* inode, size_t size) { kfree(inode, size); }

  private:
    std::atomic<uint32_t> references_{1};
};

using InodeRef = Ref<Inode>;
