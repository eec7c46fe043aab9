// Process: a thread group with its address space, descriptors and relatives (POSIX XBD 3.291).
//
// Lifetime: a Process ends with its last thread and stays as a zombie until its parent has
// waited for it (or at once, when the parent ignores SIGCHLD). Pointers to other processes
// are valid under process_tree (rank ProcessTree) and, if found there, in a read section of
// RCU. Who needs relations, or must not miss a child forked meanwhile (signals to groups),
// takes process_tree; who looks for one process or counts them all need not.
//
// A process's last thread turns it into a zombie under process_tree and touches it no more
// after letting go of that; so who finds a zombie under process_tree may free it.
#pragma once

#include "kernel/fs/vfs.h"
#include "kernel/sched/rcu.h"
#include "kernel/signal/signal.h"
#include "kernel/task/fd_table.h"

class Terminal;
struct Process;

enum class ProcessState : uint8_t { Alive, Zombie };

// setitimer(ITIMER_REAL), alarm(2): posts SIGALRM from the timer interrupt.
struct AlarmTimer : Timer {
    Process* process = nullptr;
    uint64_t interval_ns = 0;  // 0: once
    std::atomic<bool> armed{false};  // started, and the last callback has not ended
};

struct Process : RcuObject {
    Process();

    int32_t pid = 0;
    std::atomic<int32_t> parent_pid{0};  // for getppid(2), without the lock
    int32_t group = 0;    // process group id; guarded by process_tree
    int32_t session = 0;  // session id; guarded by process_tree
    ProcessState state = ProcessState::Alive;
    uint32_t exit_status = 0;  // as wait4(2) encodes it
    std::atomic<bool> exiting{false};
    bool did_exec = false;
    bool shares_space = false;  // with a process that is not a thread of ours (CLONE_VM)

    Process* parent = nullptr;             // guarded by process_tree
    List<Thread, &Thread::process_link> threads;  // guarded by lock
    uint32_t thread_count = 0;             // guarded by lock
    Thread* exec_thread = nullptr;         // guarded by lock: it waits for the others to end
    WaitQueue thread_exit_wait;            // exec_thread sleeps here
    ListLink sibling_link;                 // parent's children
    ListLink all_link;                     // all_processes, by pid
    SpinLock lock{LockRank::Process};
    EventCount child_events;               // what wait4 may want to look at
    // Told to vfork's parent, which sleeps in its own stop_wait, when the child has a program
    // of its own or is gone. On the parent's stack; guarded by process_tree.
    std::atomic<bool>* vfork_done = nullptr;
    // Stopped by a stop signal, until SIGCONT or SIGKILL; written under lock.
    std::atomic<bool> stopped{false};
    bool stop_wanted = false;              // no SIGCONT since the last stop signal; guarded by lock
    int16_t stop_signal = 0;               // guarded by lock
    WaitQueue stop_wait;                   // for SIGCONT, or death that was sent
    bool stop_reported = false;            // what the parent knows; guarded by process_tree
    uint32_t stop_event = 0;               // for wait4, 0: none; guarded by process_tree

    Ref<AddressSpace> space;
    Ref<FdTable> files;                    // shared with CLONE_FILES
    InodeRef working_directory;            // guarded by lock
    InodeRef executable;                   // /proc/<pid>/exe; guarded by lock
    char executable_path[256] = {};
    Terminal* terminal = nullptr;          // controlling terminal
    std::atomic<uint32_t> umask{022};
    rlimit limits[RLIM_NLIMITS] = {};
    SignalGroup signals;
    uint32_t exit_signal = SIGCHLD;
    AlarmTimer alarm;                      // guarded by process_tree

    // Of threads and of waited-for children that are gone, for times(2), getrusage(2).
    Usage dead_threads, dead_children;
    uint64_t start_ns = 0;

    List<Process, &Process::sibling_link> children;  // guarded by process_tree
};

extern Mutex process_tree;
// By pid, zombies included; changed under process_tree, walked under it or RCU.
extern List<Process, &Process::all_link> all_processes;
inline Process& current_process() { return *current_thread()->process; }
// Under process_tree or RCU; nullptr when there is none.
Process* find_process(int32_t pid);
// Calls function(thread) under its process's lock, so no sleep; false when there is none.
// Under process_tree or RCU.
template <typename Function>
bool with_thread(int32_t tid, Function function) {
    for (Process& process : all_processes) {
        SpinGuard guard(process.lock);
        for (Thread& thread : process.threads) {
            if (thread.tid != tid) continue;
            function(thread);
            return true;
        }
    }
    return false;
}
// Is a process in this group or session? Under process_tree.
bool is_group_or_session(int32_t id);

// A child that wait4(2) reports.
struct WaitResult {
    int32_t pid;  // 0: none yet, with kWaitNoHang
    uint32_t status;
    Usage used;  // by the child and those it has waited for
};
// Waits for a child to end, which frees it, or to stop or go on (WUNTRACED,
// WCONTINUED). `which`: > 0 that pid, 0 the caller's group, -1 any, < -1 the group
// -which. ECHILD; kERESTARTSYS.
Result<WaitResult> wait_for_child(int32_t which, int options);

// By all threads, dead ones included.
Usage process_usage(Process& process);

// The walk context of the calling process for `path`, which starts at `dirfd` (AT_FDCWD: the
// working directory) unless it is absolute. Holds references; EBADF, ENOTDIR.
class ProcessWalk {
  public:
    static Result<ProcessWalk> at(int dirfd, std::string_view path);
    const WalkContext& context() const { return context_; }

  private:
    InodeRef directory_;
    WalkContext context_{};
};

// Starts process 1 from `path` in a new address space; called once by main.cc on a kernel
// thread that becomes it. Panics with the reason when the program cannot be run.
[[noreturn]] void start_init(const char* path);

// Sends a signal: to all of a group. Any thread context; process_tree not held.
void signal_process_group(int32_t group, int signal);
// To one thread, under its process's lock.
void signal_thread(Thread& thread, int signal, SignalSource source);
// To a process that the caller knows to live: under process_tree or RCU, or its own timer.
// Any context.
void post_signal(Process& process, int signal, SignalSource source = {});
// To all of a group; false when there is none.
bool post_group_signal(int32_t group, int signal, SignalSource source = {})
    REQUIRES(process_tree);
// The parent gets `signal` (0: none) and looks whether wait4 has something.
void child_changed(Process& child, int signal, SignalSource source) REQUIRES(process_tree);
// Takes `set` out of all pending sets. Under the process's lock.
void discard_signals(Process& process, SignalSet set);

// Ends the calling thread's whole group with this wait status.
[[noreturn]] void exit_group(uint32_t wait_status);
// Ends the calling thread; the last one ends the process.
[[noreturn]] void exit_thread();
constexpr uint32_t wait_status_exited(int code) { return (code & 0xff) << 8; }
void task_init();
// Called first for #UD in user mode, unless nullptr; true: it dealt with the instruction.
extern bool (*undefined_instruction_hook)(TrapFrame& frame);
// For the terminals (tty_init): the leader of a session with a terminal has ended. Called under
// process_tree.
extern void (*session_ended)(Process& leader);

// clone(2): a new thread or process. Returns its id. EINVAL, EAGAIN, ENOMEM.
struct CloneRequest {
    uint64_t flags = 0;      // CLONE_...
    uint32_t exit_signal = 0;
    VirtAddr stack = 0;      // the child's stack pointer; 0: the parent's
    VirtAddr parent_tid = 0, child_tid = 0;
    uint64_t tls = 0;
};
Result<int32_t> clone_current(const CloneRequest& request);

// execve(2), the null-terminated arrays in user memory; an array at address 0 is empty. On
// success the calling thread's user frame enters the new program.
Result<void> exec_program(const char* path, VirtAddr arguments, VirtAddr environment);

// ---- Futexes (futex(2)): sleeping until a word in user memory may have changed ----

// `is_private`: FUTEX_PRIVATE_FLAG, the word is in no memory shared with other processes.
// Addresses are aligned to 4, EINVAL otherwise; EFAULT.

// Sleeps if the word still holds `expected`, else EAGAIN, until a wake-up. ETIMEDOUT at the
// monotonic time `deadline_ns`; kERESTARTSYS.
Result<void> futex_wait(VirtAddr address, uint32_t expected, uint64_t deadline_ns,
                        bool is_private);
// Wakes at most `count` waiters; returns how many.
Result<uint32_t> futex_wake(VirtAddr address, uint32_t count, bool is_private);
// Wakes `wake_count` waiters of `from` and lets at most `move` others wait at `to` instead.
// Returns how many were woken or moved.
Result<uint32_t> futex_requeue(VirtAddr from, VirtAddr to, uint32_t wake_count, uint32_t move,
                               bool is_private);

// ---- Between the files of kernel/task ----

// What a new process or program gets of one that exists.
template <typename T>
Result<Ref<T>> share_or_clone(const Ref<T>& resource, bool share) {
    if (share) return resource;
    return Ref<T>(TRY(resource->clone()));
}

inline constexpr uint32_t kCoreDumped = 0x80;  // in a wait status
// exit_group for a caller that has to clean up first: the thread ends on its way to user mode.
void begin_exit_group(uint32_t wait_status);
// Says in the log where the calling process is, which a signal is about to end with a core
// dump; `frame`: its user registers. Sleeps.
void log_core_message(Process& process, int signal, const TrapFrame& frame);
// The vfork parent of this process may go on. Takes process_tree.
void release_vfork_parent(Process& process);
// Ends all threads but the caller's, for exec. Returns when they are gone. EAGAIN when
// another thread does the same.
Result<void> end_other_threads();
// Is the calling thread to die, whatever else it waits for?
bool kill_pending(Thread& thread);
// Sets the trap handlers of all exceptions that a user program can cause, the page fault's
// included (page_fault_init). Boot CPU, once.
void fault_init();
