// poll(2), ppoll(2), select(2), pselect(2).
//
// How a poll sleeps. The thread enters the wait queue of each file, marks itself as
// sleeping, and only then asks each file for the last time. A file that becomes ready
// before that question is seen by it, one that becomes ready after it wakes the thread,
// which is marked; so no change falls in between.
//
// Asking may take a file's Mutex and sleep for it; the mark is gone then, and the thread
// does not sleep but asks once more. That is all that can go wrong.
#include <algorithm>
#include <cstring>
#include <span>

#include "kernel/arch/tsc.h"
#include "kernel/mm/slab.h"
#include "kernel/mm/user_access.h"
#include "kernel/syscall/calls.h"
#include "kernel/task/clock.h"
#include "kernel/task/process.h"

namespace {

// ---- PollSet: some files, the events wanted of each, and sleeping until one is ready ----

struct PollItem {
    int fd = -1;
    uint32_t events = 0;  // wanted; POLLERR and POLLHUP always are
    uint32_t ready = 0;
    File* file = nullptr;  // one reference; nullptr: skipped, `ready` stays as it is
};

class PollSet {
  public:
    PollSet() = default;
    PollSet(const PollSet&) = delete;
    PollSet& operator=(const PollSet&) = delete;
    ~PollSet();
    // Room for `count` items, all empty. ENOMEM. Once.
    Result<void> reserve(size_t count);
    std::span<PollItem> items() { return items_; }
    // Sleeps until an item is ready, deadline_ns (monotonic; 0: do not sleep) or a
    // signal: kERESTARTNOHAND. Returns how many items are ready, those without a file
    // included when their `ready` was set.
    Result<int> wait(uint64_t deadline_ns);

  private:
    int check(PollTable* table);

    PollItem short_[8];
    std::span<PollItem> items_;
};

// The thread's places in the queues of what it polls, in chunks: most polls fit into one.
class Waiter final : public PollTable {
  public:
    Waiter() { add(own_queue_); }  // for polls that have no other
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    ~Waiter();
    void add(WaitQueue& queue) override;
    // Marks the thread as sleeping, in all queues: a waker has taken it out of its own.
    void prepare();
    bool out_of_memory() const { return out_of_memory_; }

  private:
    struct Place {
        WaitQueue* queue;
        WaitEntry entry;
    };
    struct Chunk {
        Chunk* previous = nullptr;
        uint32_t used = 0;
        Place places[8];
    };
    WaitQueue own_queue_;
    Chunk first_;
    Chunk* last_ = &first_;
    bool out_of_memory_ = false;
};

void Waiter::add(WaitQueue& queue) {
    if (last_->used == std::size(last_->places)) {
        auto chunk = make<Chunk>();
        if (!chunk.ok()) {
            out_of_memory_ = true;
            return;
        }
        chunk.value()->previous = last_;
        last_ = chunk.value();
    }
    Place& place = last_->places[last_->used++];
    place.queue = &queue;
    wait_prepare(queue, place.entry, WaitMode::Interruptible);
}

void Waiter::prepare() {
    for (Chunk* chunk = last_; chunk != nullptr; chunk = chunk->previous)
        for (uint32_t i = 0; i < chunk->used; i++)
            wait_prepare(*chunk->places[i].queue, chunk->places[i].entry,
                         WaitMode::Interruptible);
}

Waiter::~Waiter() {
    while (last_ != nullptr) {
        Chunk* chunk = last_;
        last_ = chunk->previous;
        for (uint32_t i = 0; i < chunk->used; i++)
            wait_finish(*chunk->places[i].queue, chunk->places[i].entry);
        if (chunk != &first_) destroy(chunk);
    }
}

PollSet::~PollSet() {
    for (PollItem& item : items_)
        if (item.file != nullptr) item.file->unref();
    if (items_.data() != short_) kfree(items_.data(), items_.size_bytes());
}

Result<void> PollSet::reserve(size_t count) {
    PollItem* items = short_;
    if (count > std::size(short_)) {
        items = static_cast<PollItem*>(kmalloc(count * sizeof(PollItem)));
        if (items == nullptr) return Error(ENOMEM);
        for (size_t i = 0; i < count; i++) new (&items[i]) PollItem;
    }
    items_ = {items, count};
    return {};
}

int PollSet::check(PollTable* table) {
    int ready = 0;
    for (PollItem& item : items_) {
        if (item.file != nullptr) {
            uint32_t wanted = item.events | POLLERR | POLLHUP;
            // Once one is ready there will be no sleep, so no more queues are needed.
            item.ready = item.file->poll(wanted, ready == 0 ? table : nullptr) & wanted;
        }
        if (item.ready != 0) ready++;
    }
    return ready;
}

Result<int> PollSet::wait(uint64_t deadline_ns) {
    int ready = check(nullptr);
    if (ready > 0 || deadline_ns == 0) return ready;
    Waiter waiter;
    PollTable* table = &waiter;
    for (;;) {
        waiter.prepare();
        ready = check(table);
        table = nullptr;  // in all queues from the first round on
        if (ready > 0) return ready;
        if (waiter.out_of_memory()) return Error(ENOMEM);
        if (sleep_interrupted()) return Error(kERESTARTNOHAND);
        if (!schedule_until(deadline_ns)) return check(nullptr);
    }
}

constexpr uint32_t kMaxFds = FdTable::kMaxDescriptors;

struct UserPollFd {  // struct pollfd
    int32_t fd;
    int16_t events, ready;
};

// ---- Time limits: 0 means "do not sleep", kNoDeadline "for ever" ----

Result<uint64_t> deadline_after(const TimeSpec& time) {
    uint64_t ns = TRY(to_ns(time));
    return ns == 0 ? 0 : monotonic_ns() + ns;
}

Result<uint64_t> deadline_from_timespec(VirtAddr address) {
    if (address == 0) return kNoDeadline;
    return deadline_after(TRY(UserIn<TimeSpec>(address).read()));
}

// ---- Signal masks for the time of the call ----

Result<void> set_mask(VirtAddr mask, uint64_t size) {
    if (mask == 0) return {};
    if (size != sizeof(uint64_t)) return Error(EINVAL);
    uint64_t set = TRY(UserIn<uint64_t>(mask).read());
    signal_set_temporary_mask(*current_thread(), current_process().signals, set);
    return {};
}

// A call that was interrupted keeps the mask until the signal is delivered, which ends
// it.
Result<int> restore_mask(Result<int> result) {
    bool interrupted = !result.ok() && result.error().number() == kERESTARTNOHAND;
    if (!interrupted) signal_restore_mask(*current_thread());
    return result;
}

// ---- poll ----

Result<int> do_poll(VirtAddr fds, uint32_t count, uint64_t deadline) {
    if (count > kMaxFds) return Error(EINVAL);
    if (!is_user_range(fds, count * sizeof(UserPollFd))) return Error(EFAULT);
    PollSet set;
    TRY(set.reserve(count));
    UserIn<UserPollFd> in(fds);
    for (size_t i = 0; i < count; i++) {
        UserPollFd wanted = TRY(in.read(i));
        PollItem& item = set.items()[i];
        item.fd = wanted.fd;
        item.events = static_cast<uint16_t>(wanted.events);
        if (wanted.fd < 0) continue;  // ignored (POSIX poll)
        auto file = current_process().files->get(wanted.fd);
        if (file.ok()) {
            item.file = file.value().release();
        } else {
            item.ready = POLLNVAL;
        }
    }
    int ready = TRY(set.wait(deadline));
    for (size_t i = 0; i < count; i++) {
        auto events = static_cast<int16_t>(set.items()[i].ready);
        VirtAddr field = fds + i * sizeof(UserPollFd) + offsetof(UserPollFd, ready);
        TRY(copy_to_user(field, &events, sizeof events));
    }
    return ready;
}

}  // namespace

Result<int> sys_poll(VirtAddr fds, uint32_t count, int timeout_ms) {
    uint64_t deadline = kNoDeadline;
    if (timeout_ms >= 0)
        deadline = TRY(deadline_after({timeout_ms / 1000, timeout_ms % 1000 * 1'000'000LL}));
    return do_poll(fds, count, deadline);
}

Result<int> sys_ppoll(VirtAddr fds, uint32_t count, VirtAddr timeout, VirtAddr mask,
                      uint64_t mask_size) {
    uint64_t deadline = TRY(deadline_from_timespec(timeout));
    TRY(set_mask(mask, mask_size));
    return restore_mask(do_poll(fds, count, deadline));
}

// ---- select ----

namespace {

constexpr uint32_t kReadEvents = POLLIN | POLLRDNORM | POLLRDBAND;
constexpr uint32_t kWriteEvents = POLLOUT | POLLWRNORM | POLLWRBAND;
constexpr uint32_t kExceptEvents = POLLPRI;

// The three bit sets of select(2): read, write, exceptional.
struct FdSets {
    static constexpr size_t kWords = kMaxFds / 64;
    struct Kind {
        VirtAddr address;
        uint32_t wanted;  // events to poll for
        uint32_t counts;  // events that set the bit: errors make a descriptor ready, too
        uint64_t words[kWords] = {};
    };
    Kind kinds[3];
    size_t bytes;  // of each set: whole words

    Result<void> read() {
        for (Kind& kind : kinds)
            if (kind.address != 0) TRY(copy_from_user(kind.words, kind.address, bytes));
        return {};
    }
    Result<void> write() {
        for (Kind& kind : kinds)
            if (kind.address != 0) TRY(copy_to_user(kind.address, kind.words, bytes));
        return {};
    }
    uint32_t wanted(int fd) const {
        uint32_t events = 0;
        for (const Kind& kind : kinds)
            if (kind.words[fd / 64] >> (fd % 64) & 1) events |= kind.wanted;
        return events;
    }
};

Result<void> collect(const FdSets& sets, int count, PollSet& set) {
    size_t wanted = 0;
    for (int fd = 0; fd < count; fd++) wanted += sets.wanted(fd) != 0;
    TRY(set.reserve(wanted));
    PollItem* item = set.items().data();
    for (int fd = 0; fd < count; fd++) {
        uint32_t events = sets.wanted(fd);
        if (events == 0) continue;
        item->fd = fd;
        item->events = events;
        item->file = TRY(current_process().files->get(fd)).release();
        item++;
    }
    return {};
}

Result<int> do_select(int count, VirtAddr in, VirtAddr out, VirtAddr except,
                      uint64_t deadline) {
    if (count < 0) return Error(EINVAL);
    count = std::min<int>(count, kMaxFds);
    FdSets sets = {{{in, kReadEvents, kReadEvents | POLLHUP | POLLERR},
                    {out, kWriteEvents, kWriteEvents | POLLERR},
                    {except, kExceptEvents, kExceptEvents}},
                   round_up(static_cast<uint64_t>(count), 64) / 8};
    TRY(sets.read());
    PollSet set;
    TRY(collect(sets, count, set));
    TRY(set.wait(deadline));
    int ready = 0;
    for (FdSets::Kind& kind : sets.kinds) {
        uint64_t result[FdSets::kWords] = {};
        for (const PollItem& item : set.items()) {
            uint64_t bit = 1ull << (item.fd % 64);
            if ((kind.words[item.fd / 64] & bit) == 0 || (item.ready & kind.counts) == 0)
                continue;
            result[item.fd / 64] |= bit;
            ready++;
        }
        memcpy(kind.words, result, sizeof result);
    }
    TRY(sets.write());
    return ready;
}

}  // namespace

Result<int> sys_select(int count, VirtAddr in, VirtAddr out, VirtAddr except,
                       VirtAddr timeout) {
    uint64_t deadline = kNoDeadline;
    if (timeout != 0) {  // struct timeval: microseconds
        TimeSpec time = TRY(UserIn<TimeSpec>(timeout).read());
        int64_t seconds = time.seconds + time.nanoseconds / 1'000'000;
        deadline = TRY(deadline_after({seconds, time.nanoseconds % 1'000'000 * 1000}));
    }
    return do_select(count, in, out, except, deadline);
}

Result<int> sys_pselect6(int count, VirtAddr in, VirtAddr out, VirtAddr except,
                         VirtAddr timeout, VirtAddr mask_argument) {
    struct MaskArgument {
        VirtAddr mask;
        uint64_t size;
    } argument = {};
    if (mask_argument != 0) argument = TRY(UserIn<MaskArgument>(mask_argument).read());
    uint64_t deadline = TRY(deadline_from_timespec(timeout));
    TRY(set_mask(argument.mask, argument.size));
    return restore_mask(do_select(count, in, out, except, deadline));
}
