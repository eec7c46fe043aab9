// Pipes: pipe(2) and FIFOs (POSIX XSH pipe, XBD 3.163). A Pipe is its own inode, which
// serves pipe(2) and fstat; a FIFO's node in tmpfs keeps one Pipe for all who open it.
//
// The ring (lab 5's ring.cc) has one reader and one writer at a time: read_mutex_ and
// write_mutex_ make that true for any number of them, and let a reader and a writer copy
// at once on two CPUs. Copies go straight between user memory and the ring.
//
// Sleeping: a reader waits for a byte or the last writer's leaving, a writer for room or
// the last reader's leaving. Nobody sleeps with a pipe's Mutex held. A reader wakes
// writers only once PIPE_BUF bytes are free, so that a reader of single bytes does not
// wake a writer for each of them; every waiting writer can then go on.
#include <algorithm>
#include <bit>

#include "kernel/abi/termios.h"
#include "kernel/base/ring.h"
#include "kernel/fs/vfs.h"
#include "kernel/mm/user_access.h"

namespace {

constexpr uint32_t kDefaultCapacity = 64 * 1024;
constexpr uint32_t kMaxCapacity = 1024 * 1024;
constexpr size_t kAtomicWrite = 4096;  // PIPE_BUF

// A free ring of the default size for each CPU: what a shell makes for one pipeline
// serves the next, without mapping 16 pages anew.
std::atomic<unsigned char*> spare_rings[kMaxCpus];

// Moves bytes between the ring and the caller, a contiguous part at a time, until one of
// the two has no more.
template <auto kNextSpan, auto kCommit, typename Move>
void transfer(Ring& ring, const IoBuffer& buffer, Move move) {
    while (buffer.remaining() > 0) {
        auto span = kNextSpan(ring, buffer.remaining());
        size_t moved = span.empty() ? 0 : move(span);
        if (moved == 0) return;
        kCommit(ring, moved);
        if (moved < span.size()) return;
    }
}

class Pipe final : public Inode {
  public:
    explicit Pipe(uint32_t mode) : Inode(mode) {
        static std::atomic<uint64_t> next_number{1};
        number = next_number.fetch_add(1, std::memory_order_relaxed);
        attributes.accessed = attributes.modified = attributes.changed = vfs_now();
    }
    ~Pipe() override { free_ring(); }

    // Opens an end (or with O_RDWR both) whose File has `node` as its inode; waits for
    // the other side as POSIX open() says for FIFOs. ENXIO, kERESTARTSYS.
    Result<File*> open_end(Inode& node, uint32_t flags);
    // The same without waiting.
    Result<File*> make_end(Inode& node, uint32_t flags);
    // Of pipe(2), by /dev/fd/N: its other side was there, and may be gone.
    Result<File*> open(uint32_t flags) override { return make_end(*this, flags); }

  private:
    friend class PipeFile;
    Result<size_t> read(IoBuffer& buffer, bool nonblocking);
    // EPIPE when there is no reader (and nothing was written): the caller sends SIGPIPE.
    Result<size_t> write(IoBuffer& buffer, bool nonblocking);
    Result<uint64_t> set_capacity(uint64_t size);
    size_t used() const { return ring_used(ring_); }
    size_t room() const { return ring_.data == nullptr ? capacity_ : ring_free(ring_); }
    // Up to PIPE_BUF bytes go in one piece, more as they fit (POSIX XSH write).
    bool can_write(size_t size) const { return room() >= (size <= kAtomicWrite ? size : 1); }
    Result<void> ensure_ring();
    void free_ring();
    void wake_both() {
        wake_all(read_wait_);
        wake_all(write_wait_);
    }

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

class PipeFile final : public File {
  public:
    PipeFile(Pipe& pipe, Inode& node, uint32_t flags)
        : File(node, flags), pipe_(new_ref(&pipe)) {}
    ~PipeFile() override;
    Result<size_t> read_at(IoBuffer& buffer, uint64_t) override {
        return pipe_->read(buffer, nonblocking());
    }
    Result<size_t> write_at(IoBuffer& buffer, uint64_t) override {
        return pipe_->write(buffer, nonblocking());
    }
    uint32_t poll(uint32_t events, PollTable* table) override;
    Result<void> ioctl(uint32_t request, VirtAddr argument) override {
        if (request != FIONREAD) return Error(ENOTTY);
        return UserOut<int32_t>(argument).write(static_cast<int32_t>(pipe_->used()));
    }
    Result<uint64_t> pipe_capacity(uint64_t wanted) override {
        return wanted == kAsk ? pipe_->capacity_ : pipe_->set_capacity(wanted);
    }

  private:
    Ref<Pipe> pipe_;
};

void Pipe::free_ring() {
    if (ring_.data == nullptr) return;
    unsigned char* memory = ring_.data;
    if (ring_.capacity == kDefaultCapacity)
        memory = spare_rings[this_cpu().id].exchange(memory);
    kfree(memory, ring_.capacity);
    ring_init(ring_, nullptr, 0);
}

Result<void> Pipe::ensure_ring() {
    if (ring_.data != nullptr) return {};
    unsigned char* memory = nullptr;
    if (capacity_ == kDefaultCapacity) memory = spare_rings[this_cpu().id].exchange(nullptr);
    if (memory == nullptr) memory = static_cast<unsigned char*>(kmalloc(capacity_));
    if (memory == nullptr) return Error(ENOMEM);
    ring_init(ring_, memory, capacity_);
    return {};
}

// ---- Moving data ----

Result<size_t> Pipe::read(IoBuffer& buffer, bool nonblocking) {
    if (buffer.remaining() == 0) return size_t{0};
    for (;;) {
        // Before the ring: what the last writer left is read before its leaving counts.
        bool ended = writers_.load() == 0;
        {
            MutexGuard guard(read_mutex_);
            transfer<ring_read_span, ring_commit_read>(
                ring_, buffer, [&](auto span) { return buffer.put(span.data(), span.size()); });
        }
        if (size_t done = buffer.done()) {
            // The fence between making room and looking who waits for it (wait_queue.h).
            std::atomic_thread_fence(std::memory_order_seq_cst);
            if (!write_wait_.empty() && room() >= kAtomicWrite) wake_all(write_wait_);
            return done;
        }
        if (buffer.faulted()) return Error(EFAULT);
        if (ended) return size_t{0};
        if (nonblocking) return Error(EAGAIN);
        TRY(wait_until(read_wait_, [&] { return used() > 0 || writers_.load() == 0; }));
    }
}

Result<size_t> Pipe::write(IoBuffer& buffer, bool nonblocking) {
    size_t total = buffer.remaining();
    while (size_t left = buffer.remaining()) {
        if (readers_.load() == 0) return buffer.stop(EPIPE);
        {
            MutexGuard guard(write_mutex_);
            if (!ensure_ring().ok()) return buffer.stop(ENOMEM);
            if (can_write(total))
                transfer<ring_write_span, ring_commit_write>(ring_, buffer, [&](auto span) {
                    return buffer.take(span.data(), span.size());
                });
        }
        if (buffer.remaining() < left) wake_all(read_wait_);
        if (buffer.remaining() == 0) break;
        if (buffer.faulted()) return buffer.stop(EFAULT);
        if (nonblocking) return buffer.stop(EAGAIN);
        Result<void> waited = wait_until(
            write_wait_, [&] { return can_write(total) || readers_.load() == 0; });
        if (!waited.ok()) return buffer.stop(waited.error().number());
    }
    return buffer.done();
}

uint32_t PipeFile::poll(uint32_t events, PollTable* table) {
    uint32_t ready = 0;
    if (readable()) {
        if (table != nullptr) table->add(pipe_->read_wait_);
        if (pipe_->used() > 0) ready |= POLLIN | POLLRDNORM;
        if (pipe_->writers_.load() == 0 && pipe_->writer_opens_.load() > 0) ready |= POLLHUP;
    }
    if (writable()) {
        if (table != nullptr) table->add(pipe_->write_wait_);
        if (pipe_->room() >= kAtomicWrite) ready |= POLLOUT | POLLWRNORM;
        if (pipe_->readers_.load() == 0) ready |= POLLERR;
    }
    return ready & (events | POLLERR | POLLHUP);
}

Result<uint64_t> Pipe::set_capacity(uint64_t size) {
    if (size > kMaxCapacity) return Error(EPERM);
    auto wanted =
        static_cast<uint32_t>(std::bit_ceil(std::max<uint64_t>(size, kAtomicWrite)));
    MutexGuard guard(read_mutex_);
    if (wanted == capacity_) return wanted;
    if (!write_mutex_.try_lock()) return Error(EBUSY);  // a writer is copying right now
    // Data stays where it is: only an empty pipe changes its size.
    bool empty = used() == 0;
    if (empty) {
        free_ring();
        capacity_ = wanted;
    }
    write_mutex_.unlock();
    return empty ? Result<uint64_t>(wanted) : Error(EBUSY);
}

// ---- Ends ----

Result<File*> Pipe::make_end(Inode& node, uint32_t flags) {
    File* file = TRY(make<PipeFile>(*this, node, flags));
    MutexGuard guard(read_mutex_);
    if (file->readable()) {
        readers_.fetch_add(1);
        reader_opens_.fetch_add(1);
    }
    if (file->writable()) {
        writers_.fetch_add(1);
        writer_opens_.fetch_add(1);
    }
    return file;
}

Result<File*> Pipe::open_end(Inode& node, uint32_t flags) {
    // A partner that is there now counts, even if it is gone again when we look.
    uint32_t readers_gone, writers_gone;
    {
        MutexGuard guard(read_mutex_);
        readers_gone = reader_opens_.load() - readers_.load();
        writers_gone = writer_opens_.load() - writers_.load();
    }
    FileRef file(TRY(make_end(node, flags)));
    wake_both();
    auto reader_came = [&] { return reader_opens_.load() != readers_gone; };
    auto writer_came = [&] { return writer_opens_.load() != writers_gone; };
    if (!file->writable()) {
        if (!file->nonblocking()) TRY(wait_until(read_wait_, writer_came));
    } else if (!file->readable()) {
        if (file->nonblocking() && !reader_came()) return Error(ENXIO);
        TRY(wait_until(write_wait_, reader_came));
    }
    return file.release();
}

PipeFile::~PipeFile() {
    {
        MutexGuard guard(pipe_->read_mutex_);
        if (readable()) pipe_->readers_.fetch_sub(1);
        if (writable()) pipe_->writers_.fetch_sub(1);
        // With the last end what was left is lost (POSIX XSH close). No reader or writer
        // is inside: they have references of their Files.
        if (pipe_->readers_.load() == 0 && pipe_->writers_.load() == 0) pipe_->free_ring();
    }
    pipe_->wake_both();
}

}  // namespace

Result<PipeEnds> pipe_create(uint32_t flags) {
    flags &= O_NONBLOCK;
    Ref<Pipe> pipe(TRY(make<Pipe>(S_IFIFO | 0600u)));
    FileRef read_end(TRY(pipe->make_end(*pipe, O_RDONLY | flags)));
    File* write_end = TRY(pipe->make_end(*pipe, O_WRONLY | flags));
    return PipeEnds{read_end.release(), write_end};
}

Result<File*> fifo_open(Inode& node, InodeRef& pipe, uint32_t flags) {
    {
        MutexGuard guard(node.mutex);
        if (!pipe) pipe.reset(TRY(make<Pipe>(S_IFIFO | 0600u)));
    }
    return static_cast<Pipe&>(*pipe).open_end(node, flags);
}
