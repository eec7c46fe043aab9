// PTY pairs (contracts in kernel/tty/pty.h): a Terminal whose device is a ring that the
// master reads.
//
//   slave write, echo --> Terminal --> PtyPair::write --> ring --> master read
//   slave read <-- Terminal's input <-- Terminal::receive <------- master write
//
// The ring has one producer at a time, whoever holds the terminal's Mutex: writers and
// echo come through it alike. It has one consumer at a time, the holder of read_mutex_.
// So neither side waits for the other to copy.
//
// A flush (a signal character, tcflush) comes from the producer, which must not move the
// consumer's position: it notes how far the ring is stale, and the next read skips that.
//
// Pairs are made once and kept for reuse, so that Terminal pointers stay valid. `sides`
// says who still uses one: the master, and open files of the slave. Free is who has
// neither.
#include "kernel/tty/pty.h"

#include <algorithm>

#include "kernel/abi/termios.h"
#include "kernel/base/ring.h"
#include "kernel/mm/user_access.h"

namespace {

constexpr uint32_t kRingCapacity = 8192;
constexpr size_t kChunk = 512;  // of a master's write, on the kernel stack
constexpr uint32_t kMasterSide = 1, kSlaveSide = 2;

class PtyPair final : public TerminalDevice {
  public:
    explicit PtyPair(uint32_t index)
        : index(index), terminal(*this, device_number(kPtsMajor, index)) {
        ring_init(ring_, memory_, kRingCapacity);
    }

    // Makes a free pair ready for a new master.
    void start() {
        ring_commit_read(ring_, ring_used(ring_));
        stale_until_ = 0;
        slave_closed = false;
        locked = true;
        terminal.reset();
        sides = kMasterSide;
    }

    // ---- TerminalDevice: the terminal's mutex is held ----
    size_t output(const char* data, size_t size) override {
        size_t written = ring_write(ring_, data, size);
        // wake_all looks again behind a fence; a reader that found the ring empty is in
        // the queue by then or sees what was written.
        if (written > 0) wake_all(readers);
        return written;
    }
    size_t output_room() override { return ring_free(ring_); }
    void flush_output() override { stale_until_ = ring_.head.load(std::memory_order_relaxed); }
    void opened() override {
        sides |= kSlaveSide;
        slave_closed = false;
    }
    void closed() override {
        slave_closed = true;
        wake_all(readers);
        sides &= ~kSlaveSide;
    }

    // ---- The master ----
    size_t readable() const {
        uint64_t head = ring_.head.load(std::memory_order_acquire);
        uint64_t tail = ring_.tail.load(std::memory_order_relaxed);
        uint64_t start = std::max(tail, stale_until_.load(std::memory_order_relaxed));
        return head > start ? head - start : 0;
    }
    Result<size_t> read(IoBuffer& buffer, bool nonblocking) {
        if (buffer.remaining() == 0) return 0;
        for (;;) {
            // In this order: what the slave wrote before its close is read before the
            // EIO.
            bool ended = slave_closed;
            {
                MutexGuard guard(read_mutex_);
                move_out(buffer);
            }
            if (size_t moved = buffer.done()) {
                terminal.output_ready();
                return moved;
            }
            if (buffer.faulted()) return Error(EFAULT);
            if (ended) return Error(EIO);
            if (nonblocking) return Error(EAGAIN);
            TRY(wait_until(readers, [&] { return readable() > 0 || slave_closed; }));
        }
    }
    Result<size_t> write(IoBuffer& buffer, bool nonblocking) {
        unsigned char chunk[kChunk];
        while (buffer.remaining() > 0 && !buffer.faulted()) {
            size_t taken = buffer.take(chunk, sizeof chunk);
            uint32_t events = terminal.room.now();
            size_t consumed = terminal.receive({chunk, taken});
            if (consumed == taken) continue;
            buffer.rewind(taken - consumed);
            // Full. Until a reader makes room this is what poll reports.
            full_at_ = (1ull << 32) | events;
            if (nonblocking) return buffer.stop(EAGAIN);
            Result<void> slept = terminal.room.wait(events);
            if (!slept.ok()) return buffer.stop(slept.error().number());
        }
        return buffer.moved();
    }
    bool writable() const {
        return full_at_.load() != ((1ull << 32) | terminal.room.now());
    }

    const uint32_t index;
    Terminal terminal;
    WaitQueue readers;
    std::atomic<uint32_t> sides{0};
    std::atomic<bool> slave_closed{false};
    std::atomic<bool> locked{true};

  private:
    // Moves what there is to the reader; consumed is only what reached him.
    void move_out(IoBuffer& buffer) REQUIRES(read_mutex_) {
        uint64_t tail = ring_.tail.load(std::memory_order_relaxed);
        uint64_t stale = stale_until_.load(std::memory_order_acquire);
        if (stale > tail) ring_commit_read(ring_, stale - tail);
        while (buffer.remaining() > 0) {
            auto part = ring_read_span(ring_, buffer.remaining());
            if (part.empty()) break;
            size_t moved = buffer.put(part.data(), part.size());
            ring_commit_read(ring_, moved);
            if (moved < part.size()) break;
        }
    }

    Mutex read_mutex_{LockRank::Pipe};
    Ring ring_;
    std::atomic<uint64_t> stale_until_{0};  // ring position; what lies before is flushed
    std::atomic<uint64_t> full_at_{0};      // room.now() when the input was found full
    unsigned char memory_[kRingCapacity];
};

PtyPair* pairs[kMaxPtys];
Mutex pairs_mutex{LockRank::Pipe};

// A pair with this number that has a master, or nullptr.
PtyPair* find_pair(uint32_t index) {
    if (index >= kMaxPtys) return nullptr;
    MutexGuard guard(pairs_mutex);
    PtyPair* pair = pairs[index];
    return pair != nullptr && (pair->sides & kMasterSide) != 0 ? pair : nullptr;
}

Result<PtyPair*> take_pair() {
    MutexGuard guard(pairs_mutex);
    for (uint32_t i = 0; i < kMaxPtys; ++i) {
        if (pairs[i] == nullptr) pairs[i] = TRY(make<PtyPair>(i));
        if (pairs[i]->sides != 0) continue;
        pairs[i]->start();
        return pairs[i];
    }
    return Error(ENOSPC);
}

class MasterFile final : public File {
  public:
    MasterFile(Inode& node, uint32_t flags, PtyPair& pair) : File(node, flags), pair_(pair) {}
    ~MasterFile() override {
        pair_.terminal.hang_up();
        pair_.sides &= ~kMasterSide;
    }

    Result<size_t> read_at(IoBuffer& buffer, uint64_t) override {
        LatencyTimer timer(Latency::TerminalRead);
        return pair_.read(buffer, nonblocking());
    }
    Result<size_t> write_at(IoBuffer& buffer, uint64_t) override {
        LatencyTimer timer(Latency::TerminalWrite);
        return pair_.write(buffer, nonblocking());
    }
    uint32_t poll(uint32_t events, PollTable* table) override {
        if (table != nullptr) {
            table->add(pair_.readers);
            table->add(pair_.terminal.room.queue);
        }
        uint32_t ready = pair_.writable() ? POLLOUT | POLLWRNORM : 0;
        bool closed = pair_.slave_closed;
        if (pair_.readable() > 0) ready |= POLLIN | POLLRDNORM;
        return (ready & events) | (closed ? POLLHUP : 0);
    }
    Result<void> ioctl(uint32_t request, VirtAddr argument) override {
        UserOut<int32_t> number(argument);
        switch (request) {
            case TIOCGPTN: return number.write(static_cast<int32_t>(pair_.index));
            case TIOCGPTLCK: return number.write(pair_.locked);
            case TIOCSPTLCK:
                pair_.locked = TRY(UserIn<int32_t>(argument).read()) != 0;
                return {};
            case FIONREAD: return number.write(static_cast<int32_t>(pair_.readable()));
            case TIOCGPGRP: return number.write(pair_.terminal.foreground_group());
            case TIOCGSID: return number.write(pair_.terminal.session());
            // A master is nobody's controlling terminal.
            case TIOCSCTTY: return Error(ENOTTY);
            default: return pair_.terminal.ioctl(request, argument);
        }
    }

  private:
    PtyPair& pair_;
};

Result<File*> open_master(Inode& node, uint32_t flags) {
    PtyPair* pair = TRY(take_pair());
    auto file = make<MasterFile>(node, flags, *pair);
    if (file.ok()) return file.value();
    pair->sides = 0;
    return file.error();
}

}  // namespace

void pty_init() { devfs_add("ptmx", S_IFCHR | 0666, kDevicePtmx, open_master); }

bool pty_exists(uint32_t index) { return find_pair(index) != nullptr; }

Result<File*> pty_open_slave(Inode& node, uint32_t flags, uint32_t index) {
    PtyPair* pair = find_pair(index);
    if (pair == nullptr || pair->locked) return Error(EIO);
    return pair->terminal.open(node, flags);
}
