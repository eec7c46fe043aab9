// What is in /proc, as tables: a name and the function that writes the file. procfs.cc
// turns them into inodes. Private to kernel/prof.
#pragma once
#include <cstdint>
#include <span>

#include "kernel/fs/inode.h"
#include "kernel/prof/proc_text.h"
#include "kernel/task/process.h"

// ---- kernel/prof/proc_system.cc, proc_cpuinfo.cc: /proc/<name> ----

struct ProcSystemFile {
    const char* name;
    void (*write)(ProcText& out);
    // What a write(2) of `text` does; nullptr: the file is read-only.
    Result<void> (*store)(std::string_view text) = nullptr;
};
std::span<const ProcSystemFile> proc_system_files();
void proc_write_cpuinfo(ProcText& out);

// ---- kernel/prof/proc_load.cc ----

void proc_load_start();
// The load averages over 1, 5 and 15 minutes, in 1/100.
struct LoadAverages {
    uint32_t hundredths[3];
};
LoadAverages proc_load_averages();

// ---- kernel/prof/proc_process.cc: /proc/<pid>/<name> ----

// What of a process outlives the look at it: each with a reference, or nullptr.
class ProcessView {
  public:
    // ESRCH. Takes process_tree.
    static Result<ProcessView> of(int32_t pid);
    ProcessView(ProcessView&& other);
    ~ProcessView();

    int32_t pid = 0;
    AddressSpace* space = nullptr;
    FdTable* files = nullptr;
    Inode* directory = nullptr;   // working directory
    Inode* executable = nullptr;
    char path[256] = {};          // of the executable
    char name[16] = {};           // of the main thread
    uint32_t uid = 0, gid = 0;    // effective

  private:
    ProcessView() = default;
};

struct ProcProcessFile {
    const char* name;
    void (*write)(ProcText& out, ProcessView& view);
};
std::span<const ProcProcessFile> proc_process_files();

// The first process with a number greater than `pid`; 0: none. Takes process_tree.
int32_t proc_next_process(int32_t pid);
// The first descriptor at or after `fd`; -1: none.
int proc_next_descriptor(FdTable& files, int fd);
// Text of a link to `file`: its path as far as one is known, else pipe:[n] and the like.
size_t proc_describe_file(File& file, char* out, size_t size);
// Text of a link to a directory: its absolute path.
size_t proc_directory_path(Inode& directory, char* out, size_t size);
