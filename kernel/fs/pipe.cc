// Pipes: see pipe.h.
//
// Sleeping: a reader waits for a byte or the last writer's leaving, a writer for room or
// the last reader's leaving. Nobody sleeps with a pipe's Mutex held. A reader wakes
// writers only once PIPE_BUF bytes are free, so that a reader of single bytes does not
// wake a writer for each of them; every waiting writer can then go on.
#include "kernel/fs/pipe.h"

#include <algorithm>
#include <bit>

#include "kernel/abi/termios.h"
#include "kernel/fs/vfs.h"
#include "kernel/mm/slab.h"
#include "kernel/mm/user_access.h"

namespace {

// A free ring of the default size for each CPU: what a shell makes for one pipeline
// serves the next, without mapping 16 pages anew.
std::atomic<unsigned char*> spare_rings[kMaxCpus];

unsigned char* allocate_ring(uint32_t capacity) {
    if (capacity == Pipe::kDefaultCapacity) {
        if (auto* spare = spare_rings[this_cpu().id].exchange(nullptr)) return spare;
    }
    return static_cast<unsigned char*>(kmalloc(capacity));
}

class PipeFile final : public File {
  public:
    // Takes over a reference of `node`; one of `pipe`, too.
    PipeFile(Pipe* pipe, Inode* node, uint32_t flags)
        : File(node, flags), pipe_(*pipe), reads_(readable()), writes_(writable()) {}
    ~PipeFile() override {
        pipe_.close_end(reads_, writes_);
        pipe_.unref();
    }
    Result<size_t> read_at(IoBuffer& buffer, uint64_t) override {
        return pipe_.read(buffer, nonblocking());
    }
    Result<size_t> write_at(IoBuffer& buffer, uint64_t) override {
        return pipe_.write(buffer, nonblocking());
    }
    uint32_t poll(uint32_t events, PollTable* table) override {
        return pipe_.poll(reads_, writes_, table) & (events | POLLERR | POLLHUP);
    }
    Result<uint64_t> ioctl(uint32_t request, VirtAddr argument) override {
        if (request != FIONREAD) return Error(ENOTTY);
        TRY(UserOut<int32_t>(argument).write(static_cast<int32_t>(pipe_.used())));
        return uint64_t{0};
    }
    Pipe* pipe() override { return &pipe_; }

  private:
    void destroy_self() override { destroy(this); }
    Pipe& pipe_;
    const bool reads_, writes_;  // as opened: what close has to undo
};

}  // namespace

Pipe::Pipe(uint32_t mode) : Inode(mode) {
    attributes.accessed = attributes.modified = attributes.changed = vfs_now();
}

Pipe::~Pipe() { free_ring(); }

Result<Pipe*> Pipe::create() {
    static std::atomic<uint64_t> next_number{1};
    Pipe* pipe = TRY(make<Pipe>(S_IFIFO | 0600u));
    pipe->number = next_number.fetch_add(1, std::memory_order_relaxed);
    return pipe;
}

void Pipe::destroy_self() { destroy(this); }

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
    unsigned char* memory = allocate_ring(capacity_);
    if (memory == nullptr) return Error(ENOMEM);
    ring_init(ring_, memory, capacity_);
    return {};
}

// ---- Moving data ----

size_t Pipe::drain(IoBuffer& buffer) {
    size_t done = 0;
    while (buffer.remaining() > 0) {
        auto span = ring_read_span(ring_, buffer.remaining());
        if (span.empty()) break;
        size_t moved = buffer.put(span.data(), span.size());
        ring_commit_read(ring_, moved);
        done += moved;
        if (moved < span.size()) break;
    }
    return done;
}

size_t Pipe::fill(IoBuffer& buffer) {
    size_t done = 0;
    while (buffer.remaining() > 0) {
        auto span = ring_write_span(ring_, buffer.remaining());
        if (span.empty()) break;
        size_t moved = buffer.take(span.data(), span.size());
        ring_commit_write(ring_, moved);
        done += moved;
        if (moved < span.size()) break;
    }
    return done;
}

Result<size_t> Pipe::read(IoBuffer& buffer, bool nonblocking) {
    if (buffer.remaining() == 0) return size_t{0};
    for (;;) {
        // Before the ring: what the last writer left is read before its leaving counts.
        bool ended = writers_.load() == 0;
        {
            MutexGuard guard(read_mutex_);
            drain(buffer);
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

// Up to PIPE_BUF bytes go in one piece, more as they fit (POSIX XSH write).
bool Pipe::can_write(size_t size) const {
    return room() >= (size <= kAtomicWrite ? size : 1);
}

Result<size_t> Pipe::write(IoBuffer& buffer, bool nonblocking) {
    size_t total = buffer.remaining();
    if (total == 0) return size_t{0};
    Result<void> stopped;
    while (buffer.remaining() > 0) {
        if (readers_.load() == 0) {
            stopped = Error(EPIPE);
            break;
        }
        size_t moved = 0;
        {
            MutexGuard guard(write_mutex_);
            TRY(ensure_ring());
            if (can_write(total)) moved = fill(buffer);
        }
        if (moved > 0) wake_all(read_wait_);
        if (buffer.remaining() == 0) break;
        if (buffer.faulted()) {
            stopped = Error(EFAULT);
            break;
        }
        if (nonblocking) {
            stopped = Error(EAGAIN);
            break;
        }
        auto waited = wait_until(
            write_wait_, [&] { return can_write(total) || readers_.load() == 0; });
        if (!waited.ok()) {
            stopped = waited.error();
            break;
        }
    }
    if (buffer.done() == 0 && !stopped.ok()) return stopped.error();
    return buffer.done();
}

uint32_t Pipe::poll(bool reads, bool writes, PollTable* table) {
    uint32_t ready = 0;
    if (reads) {
        if (table != nullptr) table->add(read_wait_);
        if (used() > 0) ready |= POLLIN | POLLRDNORM;
        if (writers_.load() == 0 && writer_opens_.load() > 0) ready |= POLLHUP;
    }
    if (writes) {
        if (table != nullptr) table->add(write_wait_);
        if (room() >= kAtomicWrite) ready |= POLLOUT | POLLWRNORM;
        if (readers_.load() == 0) ready |= POLLERR;
    }
    return ready;
}

Result<uint32_t> Pipe::set_capacity(uint64_t size) {
    if (size > kMaxCapacity) return Error(EPERM);
    auto wanted =
        static_cast<uint32_t>(std::bit_ceil(std::max<uint64_t>(size, kAtomicWrite)));
    MutexGuard guard(read_mutex_);
    if (!write_mutex_.try_lock()) return Error(EBUSY);  // a writer is copying right now
    // Data stays where it is: only an empty pipe changes its size.
    bool possible = wanted == capacity_ || used() == 0;
    if (possible && wanted != capacity_) {
        free_ring();
        capacity_ = wanted;
    }
    write_mutex_.unlock();
    if (!possible) return Error(EBUSY);
    return wanted;
}

// ---- Ends ----

Result<File*> Pipe::make_end(Inode& node, uint32_t flags) {
    File* file = TRY(make<PipeFile>(this, &node, flags));
    ref();
    node.ref();
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
    uint32_t reader_opens = reader_opens_.load(), writer_opens = writer_opens_.load();
    File* file = TRY(make_end(node, flags));
    wake_all(read_wait_);
    wake_all(write_wait_);
    Result<void> met;
    if (!file->writable() && !file->nonblocking()) {
        met = wait_until(read_wait_, [&] {
            return writers_.load() > 0 || writer_opens_.load() != writer_opens;
        });
    } else if (!file->readable()) {
        auto reader_came = [&] {
            return readers_.load() > 0 || reader_opens_.load() != reader_opens;
        };
        if (!file->nonblocking()) {
            met = wait_until(write_wait_, reader_came);
        } else if (!reader_came()) {
            met = Error(ENXIO);
        }
    }
    if (met.ok()) return file;
    file->unref();
    return met.error();
}

void Pipe::close_end(bool reads, bool writes) {
    {
        MutexGuard guard(read_mutex_);
        if (reads) readers_.fetch_sub(1);
        if (writes) writers_.fetch_sub(1);
        // With the last end what was left is lost (POSIX XSH close). No reader or writer
        // is inside: they have references of their Files.
        if (readers_.load() == 0 && writers_.load() == 0) free_ring();
    }
    wake_all(read_wait_);
    wake_all(write_wait_);
}

Result<PipeEnds> pipe_create(uint32_t flags) {
    flags &= O_NONBLOCK;
    Pipe* pipe = TRY(Pipe::create());
    InodeRef reference(pipe);
    File* read_end = TRY(pipe->make_end(*pipe, O_RDONLY | flags));
    auto write_end = pipe->make_end(*pipe, O_WRONLY | flags);
    if (!write_end.ok()) {
        read_end->unref();
        return write_end.error();
    }
    return PipeEnds{read_end, write_end.value()};
}
