// File: an open file description (POSIX, 2.5): what descriptors refer to, with offset and
// status flags. Regular files, pipes, terminals and devices derive from it; an open
// directory is a plain File, whose offset is the position for Inode::list.
#pragma once
#include <atomic>
#include <cstdint>

#include "kernel/abi/fcntl.h"
#include "kernel/abi/poll.h"
#include "kernel/base/result.h"
#include "kernel/fs/inode.h"
#include "kernel/fs/io_buffer.h"
#include "kernel/mm/slab.h"
#include "kernel/sched/wait_queue.h"

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

class Pipe;

class File {
  public:
    void ref() { references_.fetch_add(1, std::memory_order_relaxed); }
    void unref();  // the last one closes; may sleep

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
    virtual Result<void> truncate(uint64_t) { return Error(EINVAL); }
    virtual Pipe* pipe() { return nullptr; }  // the pipe that this is an end of
    virtual PageSource* page_source() { return inode->page_source(); }

    // read(2) and write(2): O_APPEND, the offset and its lock, on top of the *_at calls.
    Result<size_t> read(IoBuffer& buffer);
    Result<size_t> write(IoBuffer& buffer);
    Result<uint64_t> seek(int64_t offset, int whence);
    uint32_t flags;           // O_* as given to open, changed by F_SETFL
    Inode* inode;             // one reference; pipes of pipe(2) have one too
    uint64_t offset = 0;      // guarded by offset_mutex
    Mutex offset_mutex{LockRank::FileOffset};  // over a transfer of a seekable file

    // Takes a reference of `inode`.
    File(Inode& inode, uint32_t flags) : flags(flags), inode(&inode) { inode.ref(); }

  protected:
    virtual ~File();
    // The last reference is gone.
    virtual void destroy_self() { delete this; }
    static void operator delete(void* file, size_t size) { kfree(file, size); }

  private:
    std::atomic<uint32_t> references_{1};
};
using FileRef = Ref<File>;
