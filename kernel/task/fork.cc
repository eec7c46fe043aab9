// Where threads and processes come from: clone(2) in all its forms (fork, vfork, threads),
// and process 1.
//
// The child starts in start_child on a kernel stack of its own, with the parent's user
// registers at its top, and leaves through trap_return.
//
// Until it is linked nobody can find the child, so everything up to that can fail and is
// undone by hand in the order of its making. From thread_start on it belongs to itself.
#include <algorithm>

#include "kernel/base/random.h"
#include "kernel/base/runtime.h"
#include "kernel/metrics/latency.h"
#include "kernel/mm/user_access.h"
#include "kernel/sched/run_queue.h"
#include "kernel/drivers/clock.h"
#include "kernel/task/process.h"

namespace {

constexpr uint64_t kSupportedFlags =
    CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_VFORK |
    CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |
    CLONE_CHILD_CLEARTID | CLONE_DETACHED | CLONE_CHILD_SETTID;

// `set_tid`: where the child's id goes in its memory (CLONE_CHILD_SETTID), or nullptr.
[[noreturn]] void start_child(void* set_tid) {
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

// ---- Into the tree ----

constexpr int32_t kMaxTid = 4 * 1024 * 1024;

// A thread or process id that nobody uses.
int32_t allocate_tid() REQUIRES(process_tree) {
    static int32_t last = 0;
    static bool wrapped = false;
    auto in_use = [] {
        return find_process(last) != nullptr || is_group_or_session(last) ||
               with_thread(last, [](Thread&) {});
    };
    do {
        if (++last >= kMaxTid) {
            last = 2;
            wrapped = true;
        }
    } while (wrapped && in_use());
    return last;
}

// Adds a thread to its process; refuses (EAGAIN) when that is ending or in an exec.
Result<void> link_thread(Process& process, Thread& thread) REQUIRES(process_tree) {
    SpinGuard guard(process.lock);
    if (process.exiting.load(std::memory_order_relaxed) || process.exec_thread != nullptr)
        return Error(EAGAIN);
    process.threads.push_back(&thread);
    process.thread_count++;
    return {};
}

// Makes `process` findable with its first thread, as a child of `parent` (nullptr: init).
// Whoever finds it, under RCU for instance, can send it a signal.
void link_process(Process& process, Process* parent, Thread& thread) REQUIRES(process_tree) {
    (void)link_thread(process, thread);  // nobody can be ending it yet
    process.parent = parent;
    if (parent != nullptr) {
        process.parent_pid.store(parent->pid, std::memory_order_relaxed);
        parent->children.push_back(&process);
    }
    all_processes.insert_by(&Process::pid, &process);
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
    thread_add_fpu(*child);
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
    child.executable = parent.executable;
    copy_string(child.executable_path, parent.executable_path, sizeof child.executable_path);
}

// A signal to the group must reach either the parent before the child exists, or both: when
// one is there already the call is left undone, and done again after the signal.
Result<void> link_child(Process& parent, Process& child, Thread& thread) {
    MutexGuard tree(process_tree);
    if (sleep_interrupted()) return Error(kERESTARTNOINTR);
    thread.tid = child.pid = allocate_tid();
    child.group = parent.group;
    child.session = parent.session;
    link_process(child, &parent, thread);
    return {};
}

// All that can fail; what the child has got until then goes with it.
Result<void> build_process(Process& parent, Process& child, Thread& thread, uint64_t flags) {
    auto shared = [flags](uint64_t flag) { return (flags & flag) != 0; };
    child.files = TRY(share_or_clone(parent.files, shared(CLONE_FILES)));
    child.signals.actions =
        TRY(share_or_clone(parent.signals.actions, shared(CLONE_SIGHAND)));
    child.space = TRY(share_or_clone(parent.space, shared(CLONE_VM)));
    if (shared(CLONE_VM)) parent.shares_space = child.shares_space = true;
    thread.space = child.space.get();
    return link_child(parent, child, thread);
}

// `vfork_done`: what the parent waits for, or nullptr.
Result<void> publish_process(Thread& thread, const CloneRequest& request,
                             std::atomic<bool>* vfork_done) {
    Process& parent = current_process();
    Process* child = thread.process = TRY(make<Process>());
    copy_attributes(parent, *child);
    child->exit_signal = request.exit_signal;
    child->vfork_done = vfork_done;
    Result<void> built = build_process(parent, *child, thread, request.flags);
    if (!built.ok()) destroy(child);
    return built;
}

Result<void> publish_thread(Thread& thread) {
    Process& process = *(thread.process = &current_process());
    thread.space = process.space.get();
    MutexGuard tree(process_tree);
    thread.tid = allocate_tid();
    return link_thread(process, thread);
}

// The parent sleeps until the child gives the address space back; only its own death ends
// that early.
void wait_for_vfork_child(const std::atomic<bool>& done, int32_t pid) {
    auto over = [&] {
        return done.load(std::memory_order_acquire) || kill_pending(*current_thread());
    };
    (void)wait_until(current_process().stop_wait, over, WaitMode::Uninterruptible);
    // The child finishes under this lock: afterwards it is through with `done`.
    MutexGuard tree(process_tree);
    if (!done.load(std::memory_order_relaxed)) find_process(pid)->vfork_done = nullptr;
}

// ---- Process 1 ----

void seed_random() {
    uint64_t words[6] = {x86::rdtsc(), realtime_ns(), 0, 0, 0, 0};
    if (cpu_features.rdrand) {
        // Ten tries are enough (Intel SDM vol. 1, 7.3.17); a chip that fails gives zeros.
        for (int i = 2; i < 6; i++) {
            bool ok = false;
            for (int tries = 0; tries < 10 && !ok; tries++)
                asm volatile("rdrand %0" : "=r"(words[i]), "=@ccc"(ok));
        }
    }
    random_seed(words);
}

void set_default_limits(Process& process) {
    for (rlimit& limit : process.limits) limit = {RLIM_INFINITY, RLIM_INFINITY};
    process.limits[RLIMIT_STACK] = {8 * 1024 * 1024, RLIM_INFINITY};
    process.limits[RLIMIT_NOFILE] = {FdTable::kMaxDescriptors, FdTable::kMaxDescriptors};
}

// Descriptors 0, 1 and 2 on the console, which init would miss for its first words.
void open_console(Process& process) {
    Result<File*> console = vfs_open({vfs_root(), vfs_root(), "/dev/console"}, O_RDWR, 0);
    if (!console.ok())
        return log_warning("init has no /dev/console: errno %d", console.error().number());
    FileRef file(console.value());
    for (int fd = 0; fd < 3; fd++) (void)process.files->add(new_ref(file.get()), false);
}

// Makes the calling kernel thread the first thread of a new process 1.
Result<void> become_process(Thread& thread) {
    Process* process = TRY(make<Process>());
    process->signals.actions.reset(TRY(make<SignalActions>()));
    process->files.reset(TRY(make<FdTable>()));
    process->working_directory = new_ref(vfs_root());
    set_default_limits(*process);
    thread_add_fpu(thread);
    signal_init_thread(thread, nullptr);
    MutexGuard tree(process_tree);
    thread.tid = process->pid = allocate_tid();
    ASSERT(process->pid == 1);
    thread.process = process;
    link_process(*process, nullptr, thread);
    return {};
}

}  // namespace

Result<int32_t> clone_current(const CloneRequest& request) {
    LatencyTimer timer(Latency::Fork);
    TRY(check_flags(request.flags));
    bool is_thread = (request.flags & CLONE_THREAD) != 0;
    bool is_vfork = (request.flags & CLONE_VFORK) != 0;
    rcu_throttle();
    Thread* thread = TRY(create_thread(request));
    std::atomic<bool> vfork_done{false};
    Result<void> published =
        is_thread ? publish_thread(*thread)
                  : publish_process(*thread, request, is_vfork ? &vfork_done : nullptr);
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
    if (is_vfork) wait_for_vfork_child(vfork_done, tid);
    return tid;
}

void start_init(const char* path) {
    Thread& thread = *current_thread();
    Result<void> result = become_process(thread);
    if (result.ok()) {
        open_console(*thread.process);
        result = exec_program(path, 0, 0);
    }
    if (!result.ok())
        panic("cannot run %s: errno %d (is the initramfs there, with this program and its "
              "interpreter?)", path, result.error().number());
    start_child(nullptr);
}

void task_init() {
    fault_init();
    clock_init();
    seed_random();
}
