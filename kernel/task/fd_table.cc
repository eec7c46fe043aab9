// See fd_table.h. The lock is a spin lock, taken for a few instructions; memory is allocated
// and Files are closed outside of it, because closing may sleep and freeing a large table may
// wait for other CPUs.
#include "kernel/task/fd_table.h"


constexpr int kInitialCapacity = 16;

void FdTable::unref() {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    for (int fd = 0; fd < capacity_; fd++) {
        if (entries_[fd].file != nullptr) drop(entries_[fd].file);
    }
    kfree(entries_, sizeof(Entry) * static_cast<size_t>(capacity_));
    destroy(this);
}

// Closing any descriptor of a file drops all record locks that the process has on it (POSIX
// fcntl): they belong to the table.
void FdTable::drop(File* file) {
    file_locks_release(*file->inode, this);
    file->unref();
}

// Grows the table to at least `wanted` entries. EMFILE beyond the limit of all tables.
Result<void> FdTable::reserve(int wanted) {
    if (wanted > kMaxDescriptors) return Error(EMFILE);
    int capacity = kInitialCapacity;
    while (capacity < wanted) capacity *= 2;
    auto* entries = static_cast<Entry*>(kzalloc(sizeof(Entry) * static_cast<size_t>(capacity)));
    if (entries == nullptr) return Error(ENOMEM);
    {
        SpinGuard guard(lock_);
        if (capacity > capacity_) {  // or another thread was faster
            if (capacity_ != 0)
                memcpy(static_cast<void*>(entries), entries_,
                       sizeof(Entry) * static_cast<size_t>(capacity_));
            std::swap(entries, entries_);
            std::swap(capacity, capacity_);
        }
    }
    kfree(entries, sizeof(Entry) * static_cast<size_t>(capacity));
    return {};
}

Result<FdTable*> FdTable::clone() {
    Ref<FdTable> copy(TRY(make<FdTable>()));
    for (;;) {
        TRY(copy->reserve(capacity_));  // a hint: checked under the lock
        SpinGuard guard(lock_);
        if (copy->capacity_ < capacity_) continue;
        for (int fd = 0; fd < capacity_; fd++) {
            copy->entries_[fd] = entries_[fd];
            if (entries_[fd].file != nullptr) entries_[fd].file->ref();
        }
        copy->lowest_free_ = lowest_free_;
        copy->limit = limit;
        return copy.release();
    }
}

inline Result<FdTable::Entry*> FdTable::find(int fd) {
    bool in_table = static_cast<uint32_t>(fd) < static_cast<uint32_t>(capacity_);
    if (!in_table || entries_[fd].file == nullptr) [[unlikely]]
        return Error(EBADF);
    return &entries_[fd];
}

Result<FileRef> FdTable::get(int fd) {
    SpinGuard guard(lock_);
    return new_ref(TRY(find(fd))->file);
}

Result<int> FdTable::add(FileRef file, bool close_on_exec, int lowest) {
    if (lowest < 0 || lowest >= limit) return Error(lowest == 0 ? EMFILE : EINVAL);
    for (;;) {
        int wanted;
        {
            SpinGuard guard(lock_);
            int fd = lowest > lowest_free_ ? lowest : lowest_free_;
            while (fd < capacity_ && entries_[fd].file != nullptr) fd++;
            if (fd >= limit) return Error(EMFILE);
            if (fd < capacity_) {
                entries_[fd] = {file.release(), close_on_exec};
                if (lowest <= lowest_free_) lowest_free_ = fd + 1;
                return fd;
            }
            wanted = fd + 1;
        }
        TRY(reserve(wanted));
    }
}

Result<int> FdTable::replace(int fd, FileRef file, bool close_on_exec) {
    if (fd < 0 || fd >= kMaxDescriptors) return Error(EBADF);
    if (fd >= capacity_) TRY(reserve(fd + 1));
    File* old;
    {
        SpinGuard guard(lock_);
        old = std::exchange(entries_[fd], {file.release(), close_on_exec}).file;
    }
    if (old != nullptr) drop(old);
    return fd;
}

Result<void> FdTable::close(int fd) {
    File* file;
    {
        SpinGuard guard(lock_);
        file = std::exchange(*TRY(find(fd)), {}).file;
        if (fd < lowest_free_) lowest_free_ = fd;
    }
    drop(file);
    return {};
}

Result<bool> FdTable::close_on_exec(int fd) {
    SpinGuard guard(lock_);
    return TRY(find(fd))->close_on_exec;
}

Result<void> FdTable::set_close_on_exec(int fd, bool on) {
    SpinGuard guard(lock_);
    TRY(find(fd))->close_on_exec = on;
    return {};
}

void FdTable::close_for_exec() {
    for (int fd = 0; (fd = next(fd)) >= 0; fd++) {
        if (entries_[fd].close_on_exec) (void)close(fd);
    }
}

int FdTable::next(int fd) {
    SpinGuard guard(lock_);
    for (; fd < capacity_; fd++) {
        if (entries_[fd].file != nullptr) return fd;
    }
    return -1;
}
