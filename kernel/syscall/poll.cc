// poll(2), ppoll(2), select(2), pselect(2).
//
// How a poll sleeps. The thread enters the wait queue of each file (one round), marks itself
// as sleeping, and only then asks each file for the last time (another). A file that becomes ready
// before that question is seen by it, one that becomes ready after it wakes the thread,
// which is marked; so no change falls in between.
//
// Asking may take a file's Mutex and sleep for it; the mark is gone then, and the thread
// does not sleep but asks once more. That is all that can go wrong.
#include <algorithm>
#include <span>

#include "kernel/syscall/calls.h"

namespace {

constexpr uint32_t kMaxFds = FdTable::kMaxDescriptors;

// ---- PollSet: some files, the events wanted of each, and sleeping until one is ready ----

// The thread's place in a queue.
struct PollPlace {
    ~PollPlace() {
        if (queue != nullptr) wait_finish(*queue, entry);
    }
    // Marks the thread as sleeping; back into the queue, out of which a waker took it.
    void prepare() {
        if (queue != nullptr) wait_prepare(*queue, entry, WaitMode::Interruptible);
    }
    WaitQueue* queue = nullptr;
    WaitEntry entry;
};

struct PollItem {
    uint32_t events = 0;  // wanted; POLLERR and POLLHUP always are
    uint32_t ready = 0;
    FileRef file{nullptr};  // none: skipped, `ready` stays as it is
    PollPlace places[2];    // a file has a queue of readers and one of writers
};

class PollSet final : public PollTable {
  public:
    ~PollSet();
    // Room for `count` items, all empty. ENOMEM. Once.
    Result<void> reserve(size_t count);
    std::span<PollItem> items() { return items_; }
    // Sleeps until an item is ready, deadline_ns (monotonic; 0: do not sleep) or a
    // signal: kERESTARTNOHAND. Returns how many items are ready, those without a file
    // included when their `ready` was set.
    Result<int> wait(uint64_t deadline_ns);
    void add(WaitQueue& queue) override;

  private:
    int check(PollTable* table);

    PollItem short_[4];
    std::span<PollItem> items_;
    PollItem* asked_ = nullptr;  // whose file adds its queues
    WaitQueue own_queue_;        // for polls that have no other
    PollPlace own_place_{&own_queue_, {}};
};

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

PollSet::~PollSet() {
    if (items_.data() == short_) return;
    for (PollItem& item : items_) item.~PollItem();
    kfree(items_.data(), items_.size_bytes());
}

void PollSet::add(WaitQueue& queue) {
    PollPlace& place = asked_->places[asked_->places[0].queue != nullptr];
    ASSERT(place.queue == nullptr);
    place.queue = &queue;
    place.prepare();
}

int PollSet::check(PollTable* table) {
    int ready = 0;
    for (PollItem& item : items_) {
        asked_ = &item;
        if (item.file) {
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
    for (PollTable* table = this;; table = nullptr) {  // in all queues from the first round on
        own_place_.prepare();
        for (PollItem& item : items_)
            for (PollPlace& place : item.places) place.prepare();
        ready = check(table);
        if (ready > 0) return ready;
        // Entering one file's queue takes back the wake-up by a file that was asked before.
        if (table != nullptr) continue;
        if (sleep_interrupted()) return restart_until(deadline_ns);
        if (!schedule_until(deadline_ns)) return check(nullptr);
    }
}

// ---- Time limits and signal masks ----

// Of a call that may sleep for `ns`; 0 means "do not sleep", kNoDeadline "for ever".
uint64_t poll_deadline(uint64_t ns) { return ns == 0 ? 0 : deadline_after(ns); }

template <typename Time>
Result<uint64_t> deadline_in(UserIn<Time> timeout) {
    if (timeout.is_null()) return kNoDeadline;
    return poll_deadline(TRY(to_ns(TRY(timeout.read()))));
}

// function(deadline), with this time limit and signal mask unless they are null.
template <typename Function>
Result<int> with_mask(VirtAddr timeout, VirtAddr mask, uint64_t mask_size, Function function) {
    uint64_t deadline = TRY(deadline_in(UserIn<TimeSpec>(timeout)));
    Thread& thread = *current_thread();
    if (mask != 0) {
        if (mask_size != sizeof(SignalSet)) return Error(EINVAL);
        SignalSet set = TRY(UserIn<SignalSet>(mask).read());
        signal_set_temporary_mask(thread, thread.process->signals, set);
    }
    Result<int> result = function(deadline);
    // A call that was interrupted keeps the mask until the signal is delivered, which
    // ends it.
    if (result.error().number() != kERESTARTNOHAND) signal_restore_mask(thread);
    return result;
}

// ---- poll ----

Result<int> do_poll(VirtAddr fds, uint32_t count, uint64_t deadline) {
    if (count > kMaxFds) return Error(EINVAL);
    if (!is_user_range(fds, count * sizeof(pollfd))) return Error(EFAULT);
    PollSet set;
    TRY(set.reserve(count));
    for (size_t i = 0; i < count; i++) {
        pollfd wanted = TRY(UserIn<pollfd>(fds).read(i));
        PollItem& item = set.items()[i];
        item.events = static_cast<uint16_t>(wanted.events);
        if (wanted.fd < 0) continue;  // ignored (POSIX poll)
        auto file = current_process().files->get(wanted.fd);
        if (file.ok()) item.file = file.release();
        if (!file.ok()) item.ready = POLLNVAL;
    }
    int ready = TRY(set.wait(deadline));
    for (size_t i = 0; i < count; i++) {
        auto events = static_cast<int16_t>(set.items()[i].ready);
        VirtAddr field = fds + i * sizeof(pollfd) + offsetof(pollfd, revents);
        TRY(UserOut<int16_t>(field).write(events));
    }
    return ready;
}

// ---- select ----

// What its three sets ask for, and which events set a bit: errors make a descriptor ready, too.
constexpr uint32_t kReadEvents = POLLIN | POLLRDNORM | POLLRDBAND;
constexpr uint32_t kWriteEvents = POLLOUT | POLLWRNORM | POLLWRBAND;
constexpr struct {
    uint32_t wanted, counts;
} kSets[3] = {{kReadEvents, kReadEvents | POLLHUP | POLLERR},
              {kWriteEvents, kWriteEvents | POLLERR},
              {POLLPRI, POLLPRI}};

Result<int> do_select(int count, const VirtAddr (&addresses)[3], uint64_t deadline) {
    if (count < 0) return Error(EINVAL);
    count = std::min<int>(count, kMaxFds);
    const size_t words = (static_cast<size_t>(count) + 63) / 64;
    uint64_t bits[3][kMaxFds / 64] = {}, result[3][kMaxFds / 64] = {};
    for (size_t set = 0; set < 3; set++)
        if (addresses[set] != 0) TRY(copy_from_user(bits[set], addresses[set], words * 8));
    auto is_in = [&](size_t set, size_t fd) { return bits[set][fd / 64] >> (fd % 64) & 1; };

    PollSet poll;
    TRY(poll.reserve(static_cast<size_t>(count)));
    std::span<PollItem> items = poll.items();  // by descriptor, those in no set without a file
    for (size_t fd = 0; fd < items.size(); fd++) {
        for (size_t set = 0; set < 3; set++)
            if (is_in(set, fd)) items[fd].events |= kSets[set].wanted;
        if (items[fd].events == 0) continue;
        items[fd].file = TRY(current_process().files->get(static_cast<int>(fd)));
    }
    TRY(poll.wait(deadline));

    int ready = 0;
    for (size_t fd = 0; fd < items.size(); fd++) {
        for (size_t set = 0; set < 3; set++) {
            if ((items[fd].ready & kSets[set].counts) == 0 || !is_in(set, fd)) continue;
            result[set][fd / 64] |= 1ull << (fd % 64);
            ready++;
        }
    }
    for (size_t set = 0; set < 3; set++)
        if (addresses[set] != 0) TRY(copy_to_user(addresses[set], result[set], words * 8));
    return ready;
}

}  // namespace

Result<int> sys_poll(VirtAddr fds, uint32_t count, int timeout_ms) {
    uint64_t deadline = kNoDeadline;
    if (timeout_ms >= 0) deadline = poll_deadline(timeout_ms * 1'000'000ull);
    return do_poll(fds, count, deadline);
}

Result<int> sys_ppoll(VirtAddr fds, uint32_t count, VirtAddr timeout, VirtAddr mask,
                      uint64_t mask_size) {
    return with_mask(timeout, mask, mask_size,
                     [&](uint64_t deadline) { return do_poll(fds, count, deadline); });
}

Result<int> sys_select(int count, VirtAddr in, VirtAddr out, VirtAddr except,
                       VirtAddr timeout) {
    return do_select(count, {in, out, except}, TRY(deadline_in(UserIn<timeval>(timeout))));
}

Result<int> sys_pselect6(int count, VirtAddr in, VirtAddr out, VirtAddr except,
                         VirtAddr timeout, VirtAddr mask_argument) {
    struct MaskArgument {
        VirtAddr mask;
        uint64_t size;
    } argument = {};
    if (mask_argument != 0) argument = TRY(UserIn<MaskArgument>(mask_argument).read());
    return with_mask(timeout, argument.mask, argument.size, [&](uint64_t deadline) {
        return do_select(count, {in, out, except}, deadline);
    });
}
