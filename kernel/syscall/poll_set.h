// PollSet: some files, the events wanted of each, and sleeping until one of them is
// ready. The common part of poll(2) and select(2).
#pragma once
#include <span>

#include "kernel/fs/file.h"

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
