// clone(2) in all its forms: fork, vfork, threads.
//
// The child starts in start_child on a kernel stack of its own, with the parent's user
// registers at its top, and leaves through trap_return.
//
// Until link_thread nobody can find the child, so everything up to that can fail and is
// undone by hand in the order of its making. From thread_start on it belongs to itself.
#include <algorithm>

#include "kernel/abi/clone.h"
#include "kernel/arch/fpu.h"
#include "kernel/arch/traps.h"
#include "kernel/arch/tsc.h"
#include "kernel/arch/x86.h"
#include "kernel/base/string.h"
#include "kernel/metrics/counters.h"
#include "kernel/mm/slab.h"
#include "kernel/mm/user_access.h"
#include "kernel/sched/run_queue.h"
#include "kernel/task/process_private.h"

namespace {

constexpr uint64_t kSupportedFlags =
    CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_VFORK |
    CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |
    CLONE_CHILD_CLEARTID | CLONE_DETACHED | CLONE_CHILD_SETTID;

// `set_tid`: where the child's id goes in its memory (CLONE_CHILD_SETTID), or nullptr.
void start_child(void* set_tid) {
    Thread& thread = *current_thread();
    auto address = reinterpret_cast<VirtAddr>(set_tid);
    if (address != 0) (void)copy_to_user(address, &thread.tid, sizeof thread.tid);
    x86::cli();
    user_return_work(thread.user_frame);
    trap_return(thread.user_frame);
}

Result<void> check_flags(uint64_t flags) {
    auto has = [flags](uint64_t flag) { return (flags & flag) != 0; };
    bool thread = has(CLONE_THREAD);
    bool sound = !has(~kSupportedFlags) && (!has(CLONE_SIGHAND) || has(CLONE_VM)) &&
                 (!thread || (has(CLONE_SIGHAND) && !has(CLONE_VFORK))) &&
                 // A working directory is shared by the threads of a process only.
                 (!has(CLONE_FS) || thread);
    return sound ? Result<void>{} : Error(EINVAL);
}

// ---- The child's Thread ----

void copy_registers(Thread& parent, Thread& child, const CloneRequest& request) {
    TrapFrame& frame = *child.user_frame = *parent.user_frame;
    frame.rax = 0;
    if (request.stack != 0) frame.rsp = request.stack;
    user_bases_save();
    bool set_tls = (request.flags & CLONE_SETTLS) != 0;
    child.fs_base = set_tls ? request.tls : parent.fs_base;
    child.gs_base = parent.gs_base;
    // The parent's state is in the CPU: it is the running thread.
    fpu_save(child.fpu);
}

Result<Thread*> create_thread(const CloneRequest& request) {
    Thread& parent = *current_thread();
    bool set_tid = (request.flags & CLONE_CHILD_SETTID) != 0;
    auto* tid_place = reinterpret_cast<void*>(set_tid ? request.child_tid : 0);
    Thread* child = TRY(thread_create(parent.name, start_child, tid_place));
    Result<void> added = thread_add_fpu(*child);
    if (!added.ok()) {
        thread_free(*child);
        return added.error();
    }
    copy_registers(parent, *child, request);
    signal_init_thread(*child, &parent);
    // A thread has another stack, so the parent's alternate one is not for it.
    bool shares_stack = (request.flags & (CLONE_VM | CLONE_VFORK)) == CLONE_VM;
    if (!shares_stack) signal_stack(*child) = signal_stack(parent);
    child->affinity.store(parent.affinity.load(std::memory_order_relaxed),
                          std::memory_order_relaxed);
    if ((request.flags & CLONE_CHILD_CLEARTID) != 0)
        child->clear_child_tid = request.child_tid;
    return child;
}

// ---- The child's Process ----

void copy_attributes(Process& parent, Process& child) {
    child.terminal = parent.terminal;
    child.umask.store(parent.umask.load(std::memory_order_relaxed), std::memory_order_relaxed);
    std::copy(std::begin(parent.limits), std::end(parent.limits), child.limits);
    SpinGuard guard(parent.lock);
    child.working_directory = parent.working_directory;
    child.working_directory->ref();
    child.executable = parent.executable;
    if (child.executable != nullptr) child.executable->ref();
    copy_string(child.executable_path, parent.executable_path, sizeof child.executable_path);
}

template <typename T>
Result<T*> share_or_clone(T* resource, bool share) {
    if (!share) return resource->clone();
    resource->ref();
    return resource;
}

Result<void> copy_resources(Process& parent, Process& child, uint64_t flags) {
    child.files = TRY(share_or_clone(parent.files, (flags & CLONE_FILES) != 0));
    child.signals.actions =
        TRY(share_or_clone(parent.signals.actions, (flags & CLONE_SIGHAND) != 0));
    bool share_space = (flags & CLONE_VM) != 0;
    child.space = TRY(share_or_clone(parent.space, share_space));
    if (share_space) parent.shares_space = child.shares_space = true;
    return {};
}

Result<Process*> create_process(const CloneRequest& request) {
    Process& parent = current_process();
    Process* child = TRY(make<Process>());
    copy_attributes(parent, *child);
    child->exit_signal = request.exit_signal;
    Result<void> copied = copy_resources(parent, *child, request.flags);
    if (copied.ok()) return child;
    destroy(child);
    return copied.error();
}

// ---- Putting both into the world ----

// A signal to the group must reach either the parent before the child exists, or both: when
// one is there already the call is left undone, and done again after the signal.
Result<void> link_child(Process& child, Thread& thread) {
    Process& current = current_process();
    MutexGuard tree(process_tree);
    if (sleep_interrupted()) return Error(kERESTARTNOINTR);
    thread.tid = child.pid = allocate_tid();
    child.group = current.group;
    child.session = current.session;
    link_process(child, &current);
    return link_thread(child, thread);
}

Result<void> publish_process(Thread& thread, const CloneRequest& request, VforkWait& vfork) {
    Process* child = thread.process = TRY(create_process(request));
    thread.space = child->space;
    if ((request.flags & CLONE_VFORK) != 0) child->vfork = &vfork;
    Result<void> linked = link_child(*child, thread);
    if (!linked.ok()) destroy(child);
    return linked;
}

Result<void> publish_thread(Thread& thread) {
    Process& process = *(thread.process = &current_process());
    thread.space = process.space;
    MutexGuard tree(process_tree);
    thread.tid = allocate_tid();
    return link_thread(process, thread);
}

// The parent sleeps until the child gives the address space back; only its own death ends
// that early, for which it looks from time to time, as this wait is not for signals.
void wait_for_vfork_child(VforkWait& vfork, int32_t pid) {
    constexpr uint64_t kLookAgainNs = 20'000'000;
    auto done = [&] { return vfork.done.load(std::memory_order_acquire); };
    while (!wait_until(vfork.queue, done, WaitMode::Uninterruptible,
                       monotonic_ns() + kLookAgainNs)
                .ok()) {
        if (!kill_pending(*current_thread())) continue;
        MutexGuard tree(process_tree);
        if (!done()) find_process(pid)->vfork = nullptr;
        return;
    }
    // The child finishes under this lock: afterwards it is through with `vfork`.
    MutexGuard tree(process_tree);
}

}  // namespace

Result<int32_t> clone_current(const CloneRequest& request) {
    TRY(check_flags(request.flags));
    bool is_thread = (request.flags & CLONE_THREAD) != 0;
    bool is_vfork = (request.flags & CLONE_VFORK) != 0;
    Thread* thread = TRY(create_thread(request));
    VforkWait vfork;
    Result<void> published =
        is_thread ? publish_thread(*thread) : publish_process(*thread, request, vfork);
    if (!published.ok()) {
        signal_destroy_thread(*thread);
        thread_free(*thread);
        return published.error();
    }
    int32_t tid = thread->tid;
    if ((request.flags & CLONE_PARENT_SETTID) != 0)
        (void)copy_to_user(request.parent_tid, &tid, sizeof tid);
    count_event(Event::Forks);
    thread_start(*thread);  // from here on neither thread nor process is ours
    if (is_vfork) wait_for_vfork_child(vfork, tid);
    return tid;
}
