// The tree of processes: who exists, who is whose child; the end of threads and processes,
// and waiting for it.
//
// process_tree, a Mutex, guards relations, groups, sessions and which processes exist. It is
// the first lock of all, so it may be held while others are taken, and it may be held long
// (exit of a process with many children). What a process's own threads need often (its
// thread list, working directory) is under Process::lock, a spin lock.
//
// A thread ends itself, always: who wants others to end sets their attention
// (kAttentionExit) and they come here on their way back to user mode, or out of an
// interruptible sleep and then there. The last thread of a process ends the process.
//
// Order at the end of a process: user memory that others wait for (the TID word), resources
// (files are closed before the parent can see the end), relatives, zombie, the parent's
// wake-up. After that the Process may be gone at any moment.
#include "kernel/arch/tsc.h"
#include "kernel/mm/user_access.h"
#include "kernel/task/job_control.h"

Mutex process_tree{LockRank::ProcessTree};
List<Process, &Process::all_link> all_processes;
void (*session_ended)(Process& leader) = [](Process&) {};

Process::Process() : start_ns(monotonic_ns()) { alarm.process = this; }

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

Result<ProcessWalk> ProcessWalk::at(int dirfd, std::string_view path) {
    Process& process = current_process();
    ProcessWalk walk;
    if (path.starts_with('/')) {
        walk.directory_ = new_ref(vfs_root());
    } else if (dirfd == AT_FDCWD) {
        SpinGuard guard(process.lock);
        walk.directory_ = process.working_directory;
    } else {
        FileRef file = TRY(process.files->get(dirfd));
        if (!file->inode->is_directory()) return Error(ENOTDIR);
        walk.directory_ = new_ref(file->inode);
    }
    walk.context_ = {vfs_root(), walk.directory_.get(), path,
                     process.umask.load(std::memory_order_relaxed)};
    return walk;
}

// ---- The end ----

namespace {

// What other threads of the address space may be waiting for.
void release_user_locks(Thread& thread, Process& process) {
    bool alone = process.thread_count == 1 && !process.shares_space;
    if (thread.clear_child_tid == 0 || alone) return;
    int32_t zero = 0;
    if (copy_to_user(thread.clear_child_tid, &zero, sizeof zero).ok())
        (void)futex_wake(thread.clear_child_tid, 1, false);
}

// Takes the thread out of its process. Returns whether it was the last.
bool leave_process(Thread& thread, Process& process) {
    scheduler_account_current();
    // Whoever is last frees the address space, so this thread must not load it again.
    thread.space = nullptr;
    SpinGuard guard(process.lock);
    process.threads.remove(&thread);
    process.dead_threads += thread.used;
    if (--process.thread_count == 0) return true;
    // Under the lock: the waiter, once it has the lock, may end the process.
    if (process.thread_count == 1 && process.exec_thread != nullptr)
        wake_all(process.thread_exit_wait);
    if (process.signals.pending.load(std::memory_order_relaxed) != 0) {
        for (Thread& other : process.threads) notify_attention(other, kAttentionSignal);
    }
    thread.process = nullptr;
    return false;
}

void finish_vfork(Process& process) REQUIRES(process_tree) {
    if (process.vfork_done == nullptr) return;
    process.vfork_done->store(true, std::memory_order_release);
    wake_all(process.parent->stop_wait);
    process.vfork_done = nullptr;
}

// The rest goes with the zombie.
void drop_resources(Process& process) {
    Ref<AddressSpace> space;
    Ref<FdTable> files;  // dropped first: closing may still want the space
    bool armed;
    {
        MutexGuard tree(process_tree);
        std::swap(space, process.space);
        std::swap(files, process.files);
        armed = process.alarm.armed.exchange(false, std::memory_order_acquire);
    }
    if (armed) timer_cancel(process.alarm);
}

// Init adopts the children, zombies included.
void give_children_to_init(Process& process) REQUIRES(process_tree) {
    Process* init = find_process(1);
    bool zombies = false;
    while (Process* child = process.children.pop_front()) {
        child->parent = init;
        child->parent_pid.store(init->pid, std::memory_order_relaxed);
        child->exit_signal = SIGCHLD;
        init->children.push_back(child);
        zombies |= child->state == ProcessState::Zombie;
    }
    if (zombies) child_changed(*init->children.back(), SIGCHLD, {});
}

// Does the parent want no zombies (POSIX XSH 2.4.3, SA_NOCLDWAIT)?
bool parent_ignores_end(Process& parent, uint32_t exit_signal) {
    if (exit_signal != SIGCHLD) return false;
    abi::SigAction action = parent.signals.actions->get(SIGCHLD);
    return action.handler == abi::kSigIgnore || (action.flags & SA_NOCLDWAIT) != 0;
}

// Takes a zombie out of the tree and frees it.
void release_zombie(Process& zombie) REQUIRES(process_tree) {
    zombie.parent->children.remove(&zombie);
    all_processes.remove_under_readers(&zombie);
    rcu_retire(&zombie, [](RcuObject* retired) { destroy(static_cast<Process*>(retired)); });
}

void end_process(Thread& thread, Process& process) {
    if (process.pid == 1) panic("init ended with wait status %#x", process.exit_status);
    drop_resources(process);
    MutexGuard tree(process_tree);
    finish_vfork(process);
    process.state = ProcessState::Zombie;
    if (process.session == process.pid && process.terminal != nullptr) session_ended(process);
    job_control_leave(process);
    give_children_to_init(process);
    thread.process = nullptr;
    bool reap_now = parent_ignores_end(*process.parent, process.exit_signal);
    int16_t signal = process.exit_status & 0x7f, code = signal != 0 ? CLD_KILLED : CLD_EXITED;
    if ((process.exit_status & kCoreDumped) != 0) code = CLD_DUMPED;
    int16_t status = signal != 0 ? signal : static_cast<int16_t>(process.exit_status >> 8);
    child_changed(process, static_cast<int>(process.exit_signal), {process.pid, code, status});
    if (reap_now) release_zombie(process);
}

}  // namespace

void child_changed(Process& child, int signal, SignalSource source) {
    Process& parent = *child.parent;
    if (signal != 0) post_signal(parent, signal, source);
    parent.child_events.happened();
}

void release_vfork_parent(Process& process) {
    MutexGuard tree(process_tree);
    finish_vfork(process);
}

void exit_thread() {
    Thread& thread = *current_thread();
    Process& process = *thread.process;
    release_user_locks(thread, process);
    if (leave_process(thread, process)) end_process(thread, process);
    signal_destroy_thread(thread);
    thread_exit();
}

void begin_exit_group(uint32_t wait_status) {
    Process& process = current_process();
    SpinGuard guard(process.lock);
    if (!process.exiting.exchange(true, std::memory_order_relaxed))
        process.exit_status = wait_status;
    for (Thread& thread : process.threads) notify_attention(thread, kAttentionExit);
    wake_all(process.stop_wait);
}

void exit_group(uint32_t wait_status) {
    begin_exit_group(wait_status);
    exit_thread();
}

Result<void> end_other_threads() {
    Process& process = current_process();
    Thread* self = current_thread();
    {
        SpinGuard guard(process.lock);
        if (process.thread_count == 1) return {};
        if (process.exec_thread != nullptr || process.exiting.load(std::memory_order_relaxed))
            return Error(EAGAIN);
        process.exec_thread = self;
        for (Thread& thread : process.threads) {
            if (&thread != self) notify_attention(thread, kAttentionExit);
        }
        wake_all(process.stop_wait);
    }
    auto alone = [&] {
        SpinGuard guard(process.lock);
        return process.thread_count == 1;
    };
    (void)wait_until(process.thread_exit_wait, alone, WaitMode::Uninterruptible);
    SpinGuard guard(process.lock);
    process.exec_thread = nullptr;
    self->tid = process.pid;  // the leader, whoever led before
    return {};
}

// ---- wait4 ----

namespace {

bool matches(Process& self, Process& child, int32_t which) {
    if (which > 0) return child.pid == which;
    if (which == -1) return true;
    return child.group == (which == 0 ? self.group : -which);
}

WaitResult reap(Process& self, Process& child) REQUIRES(process_tree) {
    WaitResult result = {child.pid, child.exit_status, child.dead_threads};
    result.used += child.dead_children;
    self.dead_children += result.used;
    release_zombie(child);
    return result;
}

// One look at the children. `seen`: the events that it took into account.
Result<WaitResult> try_wait(Process& self, int32_t which, int options, uint32_t& seen) {
    MutexGuard tree(process_tree);
    seen = self.child_events.now();
    bool candidates = false;
    for (Process& child : self.children) {
        if (!matches(self, child, which)) continue;
        if (child.state == ProcessState::Zombie) return reap(self, child);
        candidates = true;
        int option = child.stop_event == 0xffff ? WCONTINUED : WUNTRACED;
        if (child.stop_event != 0 && (options & option) != 0)
            return WaitResult{child.pid, std::exchange(child.stop_event, 0), {}};
    }
    if (!candidates) return Error(ECHILD);
    return WaitResult{};
}

}  // namespace

Result<WaitResult> wait_for_child(int32_t which, int options) {
    Process& self = current_process();
    for (;;) {
        uint32_t seen;
        WaitResult result = TRY(try_wait(self, which, options, seen));
        if (result.pid != 0 || (options & WNOHANG) != 0) return result;
        TRY(self.child_events.wait(seen));
    }
}
