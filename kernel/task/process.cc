// The table of processes: who exists, who is whose child, finding them.
//
// process_tree, a Mutex, guards relations, groups, sessions and which processes exist. It is
// the first lock of all, so it may be held while others are taken, and it may be held long
// (exit of a process with many children). What a process's own threads need often (its
// thread list, working directory) is under Process::lock, a spin lock.
#include "kernel/task/process.h"

#include "kernel/arch/tsc.h"
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

Usage process_usage(Process& process) {
    if (current_thread()->process == &process) scheduler_account_current();
    SpinGuard guard(process.lock);
    Usage used = process.dead_threads;
    for (Thread& thread : process.threads) used += thread.used;
    return used;
}

Result<ProcessWalk> ProcessWalk::at(int dirfd, bool path_is_absolute) {
    Process& process = current_process();
    ProcessWalk walk;
    if (path_is_absolute) {
        walk.directory_ = new_ref(vfs_root());
    } else if (dirfd == AT_FDCWD) {
        SpinGuard guard(process.lock);
        walk.directory_ = new_ref(process.working_directory);
    } else {
        FileRef file = TRY(process.files->get(dirfd));
        if (!file->inode->is_directory()) return Error(ENOTDIR);
        walk.directory_ = new_ref(file->inode);
    }
    walk.context_ = {vfs_root(), walk.directory_.get(),
                     process.umask.load(std::memory_order_relaxed)};
    return walk;
}
