// How a poll sleeps. The thread enters the wait queue of each file, marks itself as
// sleeping, and only then asks each file for the last time. A file that becomes ready
// before that question is seen by it, one that becomes ready after it wakes the thread,
// which is marked; so no change falls in between.
//
// Asking may take a file's Mutex and sleep for it; the mark is gone then, and the thread
// does not sleep but asks once more. That is all that can go wrong.
#include "kernel/syscall/poll_set.h"

#include "kernel/mm/slab.h"
#include "kernel/signal/signal.h"

namespace {

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

}  // namespace

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
