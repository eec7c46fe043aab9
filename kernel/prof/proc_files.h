// What is in /proc, as tables: a name and the function that writes the file. procfs.cc
// turns them into inodes.
#pragma once

#include "kernel/prof/proc_stat.h"
#include "kernel/task/program.h"
#include "kernel/task/process.h"

// Text that grows. What a file of /proc says is formatted into one when the file is opened;
// reads then serve a consistent snapshot at any offset.
class ProcText final : public TextSink {
  public:
    // May be called under a Mutex, not under a spin lock.
    void write(std::string_view text) override;
    bool complete() const { return !failed_; }  // false: memory was out
    std::string_view text() const { return {buffer_.data(), buffer_.size()}; }

  private:
    GrowingBuffer buffer_;
    bool failed_ = false;
};

// A look at a process, and what of it outlives the look: each may be none.
struct ProcessView {
    // ENOENT. 0 is nobody: nothing is filled in. Takes process_tree.
    Result<void> look(int32_t pid);

    ProcessSnapshot snapshot{};   // but for what the space tells
    Ref<AddressSpace> space;
    Ref<FdTable> files;
    InodeRef directory;  // the working one
    InodeRef executable;
    char path[256] = {};          // of the executable
};

// An entry of /proc or /proc/<pid>. Links and directories have a name and a mode only.
struct ProcEntry {
    const char* name;
    uint32_t mode;
    void (*write)(ProcText& out, ProcessView& view) = nullptr;
    // What a write(2) of `text` does, whose last newline is taken off; nullptr: the file is
    // read-only.
    Result<void> (*store)(std::string_view text) = nullptr;
};
inline constexpr uint32_t kProcFile = S_IFREG | 0444, kProcStore = S_IFREG | 0644;
inline constexpr uint32_t kProcLink = S_IFLNK | 0777, kProcDirectory = S_IFDIR | 0555;
std::span<const ProcEntry> proc_system_entries();
std::span<const ProcEntry> proc_process_entries();
void proc_load_start();  // the load average's timer

// The file system, mounted by main.cc; boot, once. Starts the load average, too: after the
// timers.
FileSystem& procfs_create();
