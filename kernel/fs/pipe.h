// Pipes: pipe(2) and FIFOs (POSIX XSH pipe, XBD 3.163). A Pipe is its own inode, which
// serves pipe(2) and fstat; a FIFO's node in tmpfs keeps one Pipe for all who open it.
//
// The ring (lab 5's ring.cc) has one reader and one writer at a time: read_mutex_ and
// write_mutex_ make that true for any number of them, and let a reader and a writer copy
// at once on two CPUs. Copies go straight between user memory and the ring.
#pragma once
#include <atomic>

#include "kernel/base/ring.h"
#include "kernel/fs/file.h"

class Pipe final : public Inode {
  public:
    static constexpr uint32_t kDefaultCapacity = 64 * 1024;
    static constexpr uint32_t kMaxCapacity = 1024 * 1024;
    static constexpr size_t kAtomicWrite = 4096;  // PIPE_BUF

    static Result<Pipe*> create();
    explicit Pipe(uint32_t mode);
    ~Pipe() override { free_ring(); }

    // Opens an end (or with O_RDWR both) whose File has `node` as its inode; waits for
    // the other side as POSIX open() says for FIFOs. ENXIO, kERESTARTSYS.
    Result<File*> open_end(Inode& node, uint32_t flags);
    // The same without waiting.
    Result<File*> make_end(Inode& node, uint32_t flags);
    Result<File*> open(uint32_t flags) override { return open_end(*this, flags); }

    uint32_t capacity() const { return capacity_; }
    // F_SETPIPE_SZ: rounds up to a power of two. EPERM: too large; EBUSY: in use, or it
    // holds data.
    Result<uint32_t> set_capacity(uint64_t size);

  private:
    friend class PipeFile;
    Result<size_t> read(IoBuffer& buffer, bool nonblocking);
    // EPIPE when there is no reader (and nothing was written): the caller sends SIGPIPE.
    Result<size_t> write(IoBuffer& buffer, bool nonblocking);
    size_t used() const { return ring_used(ring_); }
    size_t room() const { return ring_.data == nullptr ? capacity_ : ring_free(ring_); }
    // Up to PIPE_BUF bytes go in one piece, more as they fit (POSIX XSH write).
    bool can_write(size_t size) const {
        return room() >= (size <= kAtomicWrite ? size : 1);
    }
    Result<void> ensure_ring();
    void free_ring();
    void wake_both();

    Ring ring_;
    Mutex read_mutex_{LockRank::Pipe};   // the reading side, and opening and closing
    Mutex write_mutex_{LockRank::Pipe};  // the writing side
    uint32_t capacity_ = kDefaultCapacity;
    // Changed under read_mutex_. The *_opens_ only grow: a waiting open must notice a
    // partner that came and went.
    std::atomic<uint32_t> readers_{0}, writers_{0};
    std::atomic<uint32_t> reader_opens_{0}, writer_opens_{0};
    WaitQueue read_wait_;   // for data, or a writer
    WaitQueue write_wait_;  // for room, or a reader
};
