// The table of processes: who exists, who is whose child, finding them.
//
// process_tree, a Mutex, guards relations, groups, sessions and which processes exist. It is
// the first lock of all, so it may be held while others are taken, and it may be held long
// (exit of a process with many children). What a process's own threads need often (its
// thread list, working directory) is under Process::lock, a spin lock.
#include "kernel/task/process.h"

#include "kernel/arch/tsc.h"
#include "kernel/mm/slab.h"
#include "kernel/task/process_private.h"

Mutex process_tree{LockRank::ProcessTree};
List<Process, &Process::all_link> all_processes;

namespace {

constexpr int32_t kMaxTid = 4 * 1024 * 1024;

int32_t last_tid = 0;
bool tids_wrapped = false;

bool tid_in_use(int32_t tid) {
    return find_process(tid) != nullptr || is_group_or_session(tid) ||
           with_thread(tid, [](Thread&) {});
}

}  // namespace

Process::Process() : start_ns(monotonic_ns()) { alarm.process = this; }

Process::~Process() {
    if (space != nullptr) space->unref();
    if (files != nullptr) files->unref();
    if (working_directory != nullptr) working_directory->unref();
    if (executable != nullptr) executable->unref();
    if (signals.actions != nullptr) signals.actions->unref();
}

int32_t allocate_tid() {
    do {
        if (++last_tid >= kMaxTid) {
            last_tid = 2;
            tids_wrapped = true;
        }
    } while (tids_wrapped && tid_in_use(last_tid));
    return last_tid;
}

void link_process(Process& process, Process* parent) {
    Process* after = nullptr;
    for (Process* p = all_processes.back(); p != nullptr && p->pid > process.pid;) {
        after = p;
        p = all_processes.prev(p);
    }
    all_processes.insert_before(after, &process);
    process.parent = parent;
    if (parent == nullptr) return;
    process.parent_pid.store(parent->pid, std::memory_order_relaxed);
    parent->children.push_back(&process);
}

void release_zombie(Process& zombie) {
    zombie.parent->children.remove(&zombie);
    all_processes.remove(&zombie);
    destroy(&zombie);
}

Result<void> link_thread(Process& process, Thread& thread) {
    SpinGuard guard(process.lock);
    if (process.exiting.load(std::memory_order_relaxed) || process.exec_thread != nullptr)
        return Error(EAGAIN);
    process.threads.push_back(&thread);
    process.thread_count++;
    return {};
}

Process* find_process(int32_t pid) {
    for (Process& process : all_processes) {
        if (process.pid == pid) return &process;
    }
    return nullptr;
}

bool is_group_or_session(int32_t id) {
    for (Process& process : all_processes) {
        if (process.group == id || process.session == id) return true;
    }
    return false;
}

ProcessTimes process_times(Process& process) {
    if (current_thread()->process == &process) scheduler_account_current();
    SpinGuard guard(process.lock);
    ProcessTimes times = {process.dead_threads_user_ns, process.dead_threads_system_ns, 0, 0,
                          process.dead_threads_page_faults};
    for (Thread& thread : process.threads) {
        times.user_ns += thread.user_ns;
        times.system_ns += thread.system_ns;
        times.switches_voluntary += thread.switches_voluntary;
        times.switches_involuntary += thread.switches_involuntary;
        times.page_faults += thread.page_faults;
    }
    return times;
}

// ---- ProcessWalk ----

Result<ProcessWalk> ProcessWalk::at(int dirfd, bool path_is_absolute) {
    Process& process = current_process();
    ProcessWalk walk;
    WalkContext& context = walk.context_;
    context.root = vfs_root();
    context.umask = process.umask.load(std::memory_order_relaxed);
    if (path_is_absolute) {
        context.directory = context.root;
        context.directory->ref();
    } else if (dirfd == AT_FDCWD) {
        SpinGuard guard(process.lock);
        context.directory = process.working_directory;
        context.directory->ref();
    } else {
        FileRef file = TRY(process.files->get(dirfd));
        if (file->inode == nullptr || !file->inode->is_directory()) return Error(ENOTDIR);
        context.directory = file->inode;
        context.directory->ref();
    }
    return walk;
}

ProcessWalk::ProcessWalk(ProcessWalk&& other) : context_(other.context_) {
    other.context_.directory = nullptr;
}

ProcessWalk::~ProcessWalk() {
    if (context_.directory != nullptr) context_.directory->unref();
}
