// A process's file descriptors. Reading a descriptor takes a reference of the File for the
// duration of the call (FileRef), so close in another thread cannot pull it away.
#pragma once

#include "kernel/fs/file.h"

class FdTable {
  public:
    static constexpr int kMaxDescriptors = 1024;

    void ref() { references_.fetch_add(1, std::memory_order_relaxed); }
    void unref();  // the last one closes all
    bool shared() const { return references_.load(std::memory_order_relaxed) > 1; }
    Result<FdTable*> clone();  // fork

    Result<FileRef> get(int fd);  // EBADF
    // Takes the lowest free descriptor from `lowest` on. EMFILE when that would be `limit`
    // or more.
    Result<int> add(FileRef file, bool close_on_exec, int lowest = 0);
    // Closes what was there: dup2, dup3.
    Result<int> replace(int fd, FileRef file, bool close_on_exec);
    Result<void> close(int fd);
    Result<bool> close_on_exec(int fd);
    Result<void> set_close_on_exec(int fd, bool on);
    void close_for_exec();
    // The first open descriptor from `fd` (>= 0) on; -1: none.
    int next(int fd);
    int limit = kMaxDescriptors;  // RLIMIT_NOFILE, at most kMaxDescriptors

  private:
    struct Entry {
        File* file = nullptr;
        bool close_on_exec = false;
    };
    Result<Entry*> find(int fd) REQUIRES(lock_);  // EBADF
    Result<void> reserve(int wanted);
    void drop(File* file);  // of a descriptor that was taken out

    Entry* entries_ = nullptr;  // grows in powers of two
    int capacity_ = 0;
    int lowest_free_ = 0;  // no free descriptor below it
    SpinLock lock_{LockRank::FileState};
    std::atomic<uint32_t> references_{1};
};
