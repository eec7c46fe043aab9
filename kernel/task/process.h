// Process: a thread group with its address space, descriptors and relatives (POSIX XBD 3.291).
//
// Lifetime: a Process is freed when its last thread was reaped and its parent has waited for
// it (or ignores SIGCHLD, or init adopted and reaped it). Pointers to other processes are
// valid under process_tree (rank ProcessTree) only.
#pragma once
#include <atomic>
#include <cstdint>

#include "kernel/base/list.h"
#include "kernel/fs/vfs.h"
#include "kernel/mm/address_space.h"
#include "kernel/sched/mutex.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/wait_queue.h"
#include "kernel/signal/signal.h"
#include "kernel/task/fd_table.h"

class Terminal;

enum class ProcessState : uint8_t { Alive, Zombie };

struct ResourceLimit {  // struct rlimit64
    uint64_t soft, hard;
};
inline constexpr uint32_t kResourceLimitCount = 16;

struct Process {
    int32_t pid = 0;
    int32_t group = 0;    // process group id
    int32_t session = 0;  // session id
    ProcessState state = ProcessState::Alive;
    uint32_t exit_status = 0;  // as wait4(2) encodes it
    std::atomic<bool> exiting{false};
    bool did_exec = false;

    Process* parent = nullptr;             // guarded by process_tree
    List<Thread, &Thread::process_link> threads;  // guarded by lock
    uint32_t thread_count = 0;             // guarded by lock
    ListLink sibling_link;                 // parent's children
    ListLink all_link;                     // all_processes, by pid
    SpinLock lock{LockRank::Process};
    WaitQueue child_wait;                  // wait4 sleeps here
    WaitQueue* vfork_wait = nullptr;       // vfork's parent, until exec or exit

    AddressSpace* space = nullptr;
    FdTable* files = nullptr;              // shared with CLONE_FILES
    Inode* working_directory = nullptr;    // guarded by lock
    Inode* executable = nullptr;           // /proc/<pid>/exe
    char executable_path[256] = {};
    Terminal* terminal = nullptr;          // controlling terminal
    uint32_t uid = 0, gid = 0, euid = 0, egid = 0, suid = 0, sgid = 0;
    std::atomic<uint32_t> umask{022};
    ResourceLimit limits[kResourceLimitCount] = {};
    SignalGroup signals;
    uint32_t exit_signal = SIGCHLD;

    // Sums of threads and of waited-for children that are gone, for times(2), getrusage(2).
    uint64_t dead_threads_user_ns = 0, dead_threads_system_ns = 0;
    uint64_t children_user_ns = 0, children_system_ns = 0;
    uint64_t start_ns = 0;
    uint64_t minor_faults = 0;

    List<Process, &Process::sibling_link>* children();  // guarded by process_tree
    LabState<128, 16> children_storage;
};

extern Mutex process_tree;
Process& current_process();
// Under process_tree; nullptr when there is none.
Process* find_process(int32_t pid);
Thread* find_thread(int32_t tid);
void visit_processes(void (*visit)(void* context, Process&), void* context);

// The walk context of the calling process, starting at `dirfd` (AT_FDCWD: the working
// directory). Holds references; EBADF, ENOTDIR.
class ProcessWalk {
  public:
    static Result<ProcessWalk> at(int dirfd, bool path_is_absolute);
    ProcessWalk(ProcessWalk&& other);
    ~ProcessWalk();
    const WalkContext& context() const { return context_; }

  private:
    ProcessWalk() = default;
    WalkContext context_{};
};

// Starts process 1 from `path` in a new address space; called once by main.cc on a kernel
// thread that becomes it. Panics with the reason when the program cannot be run.
[[noreturn]] void start_init(const char* path);

// Sends a signal (kill(2) without the permission check): to a process, to all of a group, or
// to one thread. ESRCH. Any thread context; process_tree not held.
Result<void> signal_process(int32_t pid, int signal);
Result<void> signal_process_group(int32_t group, int signal);
void signal_thread(Thread& thread, int signal);
// A fault of the running thread that its own instruction caused.
void signal_fault(int signal, TrapFrame& frame, VirtAddr address);

// Ends the calling thread's whole group with this wait status.
[[noreturn]] void exit_group(uint32_t wait_status);
[[noreturn]] void exit_thread();
// The slow path back to user mode: exit, signals, reschedule (main.cc makes it the hook).
void task_return_to_user(TrapFrame& frame);
void task_init();
