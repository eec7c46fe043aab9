// Inode: a file, directory, link or device, apart from its names. File systems derive from
// it. References: each directory entry, open file, mapping, mount and working directory
// holds one; the last gone destroys it when no name is left (tmpfs).
//
// File: an open file description (POSIX, 2.5): what descriptors refer to, with offset and
// status flags. Regular files, pipes, terminals and devices derive from it; an open
// directory is a plain File, whose offset is the position for Inode::list.
//
// IoBuffer: the caller's memory in a read or write: a user range, a user iovec, or kernel
// memory. Files move data through put() and take() and never see which.
#pragma once
#include <span>
#include <string_view>

#include "kernel/abi/system.h"
#include "kernel/base/ref.h"
#include "kernel/base/types.h"
#include "kernel/mm/address_space.h"
#include "kernel/mm/slab.h"
#include "kernel/sched/wait_queue.h"

class File;
class FileSystem;

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

// Takes what getdents64 lists.
class DirectoryListing {
  public:
    // False: no more, the buffer is full. `mode` has the type.
    virtual bool add(std::string_view name, uint64_t inode, uint32_t mode,
                     uint64_t next_position) = 0;

  protected:
    ~DirectoryListing() = default;
};

class Inode {
  public:
    void ref() { references_.fetch_add(1, std::memory_order_relaxed); }
    void unref() {
        if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
    }

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
    // Lists entries from `position` on; 0 and 1 are "." and "..", which the caller lists.
    virtual Result<void> list(uint64_t, DirectoryListing&) { return Error(ENOTDIR); }
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
    virtual ~Inode() = default;
    static void operator delete(void* inode, size_t size) { kfree(inode, size); }

  private:
    std::atomic<uint32_t> references_{1};
};

using InodeRef = Ref<Inode>;

struct UserIovec {  // struct iovec of the Linux ABI
    VirtAddr base;
    uint64_t length;
};

class IoBuffer {
  public:
    static IoBuffer kernel(void* memory, size_t size) {
        return {true, {reinterpret_cast<VirtAddr>(memory), size}, {}, size};
    }
    static IoBuffer user(VirtAddr address, size_t size) {  // range already checked
        return {false, {address, size}, {}, size};
    }
    // `vectors` (a kernel copy, checked) must outlive the buffer.
    static IoBuffer user_vectors(std::span<const UserIovec> vectors, size_t total) {
        return {false, {}, vectors, total};
    }

    size_t remaining() const { return remaining_; }
    size_t done() const { return total_ - remaining_; }
    // Copies up to `size` bytes from `from` into the caller's memory (a read), or from
    // the caller's memory to `to` (a write), and advances. Returns the bytes copied:
    // fewer than min(size, remaining()) only when the user's memory faulted, which
    // faulted() then says. May sleep; no spin lock is held.
    size_t put(const void* from, size_t size);
    size_t take(void* to, size_t size);
    size_t put_zeros(size_t size);
    void put_random();  // all of it, unless a signal comes after a part
    bool faulted() const { return faulted_; }
    // What the transfer returns that stops now for `error`: done(), unless that is nothing.
    Result<size_t> stop(int error) const {
        return done() != 0 ? Result<size_t>(done()) : Error(error);
    }
    // ... or because all was moved, or a fault came.
    Result<size_t> moved() const { return faulted_ ? stop(EFAULT) : done(); }
    // Un-takes `size` bytes of what was just taken or put (a short transfer further on).
    void rewind(size_t size);

  private:
    IoBuffer(bool kernel, UserIovec single, std::span<const UserIovec> vectors, size_t total)
        : kernel_(kernel), remaining_(total), total_(total), single_(single),
          vectors_(vectors) {}
    template <typename Move>
    size_t transfer(size_t size, Move move);
    const UserIovec& piece() const { return vectors_.empty() ? single_ : vectors_[index_]; }

    bool kernel_, faulted_ = false;
    size_t remaining_, total_;
    UserIovec single_;                    // the only piece, unless there are vectors
    std::span<const UserIovec> vectors_;
    size_t index_ = 0, offset_ = 0;       // the next byte: which piece, where in it
};

// Collects the wait queues of what a poll looks at. File::poll adds its queue to it (once)
// before it computes the answer, so that no change is missed.
class PollTable {
  public:
    virtual void add(WaitQueue& queue) = 0;

  protected:
    ~PollTable() = default;
};

// What File::write passes to write_at as the offset of an O_APPEND write to a seekable file:
// the end, found under the file's own lock.
inline constexpr uint64_t kAppendOffset = ~0ull;

class File {
  public:
    void ref() { references_.fetch_add(1, std::memory_order_relaxed); }
    void unref() {  // the last one closes; may sleep
        if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
    }

    bool readable() const { return (flags & O_ACCMODE) != O_WRONLY; }
    bool writable() const { return (flags & O_ACCMODE) != O_RDONLY; }
    bool nonblocking() const { return (flags & O_NONBLOCK) != 0; }

    // Transfer at `offset`; streams ignore it. Return bytes moved (0: end of file). A fault
    // after some bytes is a short count, before any EFAULT. Interrupted before any byte:
    // kERESTARTSYS.
    virtual Result<size_t> read_at(IoBuffer&, uint64_t) {
        return Error(inode->is_directory() ? EISDIR : EINVAL);
    }
    virtual Result<size_t> write_at(IoBuffer&, uint64_t) { return Error(EINVAL); }
    // Is the offset used and moved by read and write? False for pipes, terminals, devices.
    virtual bool seekable() const { return inode->is_directory(); }
    virtual uint64_t size() { return 0; }
    // Ready events out of `events` (POLLIN...), plus POLLERR, POLLHUP. `table` may be null.
    virtual uint32_t poll(uint32_t events, PollTable*) {
        return events & (POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM);
    }
    virtual Result<void> ioctl(uint32_t, VirtAddr) { return Error(ENOTTY); }
    // F_SETPIPE_SZ: rounds up to a power of two. EPERM: too large; EBUSY: in use, or it holds
    // data; EBADF: no pipe. kAsk: F_GETPIPE_SZ.
    static constexpr uint64_t kAsk = ~0ull;
    virtual Result<uint64_t> pipe_capacity(uint64_t) { return Error(EBADF); }

    // read(2) and write(2): O_APPEND, the offset and its lock, on top of the *_at calls.
    Result<size_t> read(IoBuffer& buffer);
    Result<size_t> write(IoBuffer& buffer);
    Result<uint64_t> seek(int64_t offset, int whence);
    // What `distance` from the start, the offset or the end (SEEK_*) is; it may be negative.
    // EINVAL, EOVERFLOW.
    Result<int64_t> position(int64_t distance, int whence);

    uint32_t flags;           // O_* as given to open, changed by F_SETFL
    Inode* inode;             // one reference; pipes of pipe(2) have one too
    uint64_t offset = 0;      // guarded by offset_mutex
    Mutex offset_mutex{LockRank::FileOffset};  // over a transfer of a seekable file

    // Takes a reference of `inode`.
    File(Inode& inode, uint32_t flags) : flags(flags), inode(&inode) { inode.ref(); }

  protected:
    virtual ~File() { inode->unref(); }
    static void operator delete(void* file, size_t size) { kfree(file, size); }

  private:
    std::atomic<uint32_t> references_{1};
};
using FileRef = Ref<File>;

// ---- Advisory record locks of fcntl(2), owned by a descriptor table: file_lock.cc ----

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
