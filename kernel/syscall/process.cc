// System calls: making, replacing, ending and scheduling processes and threads; who they are;
// their memory; futexes.
//
// There is one user: every process is root for ever, and permissions are not enforced. The
// calls say so; owners and modes of files are metadata only. Process groups and sessions are
// under process_tree. The address space's work is AddressSpace's (kernel/mm), that of
// futexes is in kernel/task/futex.cc.
#include <linux/futex.h>

#include "kernel/syscall/calls.h"
#include "kernel/task/job_control.h"

// ---- Making and ending ----

Result<int32_t> sys_clone(uint64_t flags, VirtAddr stack, VirtAddr parent_tid,
                          VirtAddr child_tid, uint64_t tls) {
    return clone_current({.flags = (flags & 0xffffffff) & ~CSIGNAL,
                          .exit_signal = static_cast<uint32_t>(flags & CSIGNAL),
                          .stack = stack,
                          .parent_tid = parent_tid,
                          .child_tid = child_tid,
                          .tls = tls});
}

Result<void> sys_exit(int code) {
    Process& process = current_process();
    // What the leader says holds, unless the group is ended as a whole.
    if (current_thread()->tid == process.pid && !process.exiting.load())
        process.exit_status = wait_status_exited(code);
    exit_thread();
}

Result<void> sys_exit_group(int code) { exit_group(wait_status_exited(code)); }

Result<int32_t> sys_wait4(int32_t which, UserOut<int32_t> status, int options,
                          UserOut<rusage> usage) {
    constexpr int kKnown =
        WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WALL | static_cast<int>(__WCLONE);
    if ((options & ~kKnown) != 0) return Error(EINVAL);
    WaitResult result = TRY(wait_for_child(which, options));
    if (result.pid == 0) return result.pid;
    if (!status.is_null()) TRY(status.write(static_cast<int32_t>(result.status)));
    if (!usage.is_null()) TRY(usage.write(to_rusage(result.used)));
    return result.pid;
}

// ---- Who am I ----

Result<int32_t> sys_getpid() { return current_process().pid; }
Result<int32_t> sys_gettid() { return current_thread()->tid; }
Result<int32_t> sys_getppid() {
    return current_process().parent_pid.load(std::memory_order_relaxed);
}

Result<int32_t> sys_set_tid_address(VirtAddr address) {
    current_thread()->clear_child_tid = address;
    return current_thread()->tid;
}

// ---- Scheduling ----

Result<void> sys_sched_yield() {
    yield();
    return {};
}

Result<void> sys_sched_setaffinity(int32_t tid, uint32_t size, VirtAddr mask) {
    CpuMask wanted = 0;
    TRY(copy_from_user(&wanted, mask, size < sizeof wanted ? size : sizeof wanted));
    if (tid == 0 || tid == current_thread()->tid)
        return thread_set_affinity(*current_thread(), wanted);
    Result<void> result = Error(ESRCH);
    MutexGuard tree(process_tree);
    with_thread(tid, [&](Thread& thread) { result = thread_set_affinity(thread, wanted); });
    return result;
}

// Returns the number of bytes written; the C library clears the rest.
Result<uint32_t> sys_sched_getaffinity(int32_t tid, uint32_t size, VirtAddr mask) {
    constexpr uint32_t kWritten = sizeof(uint64_t);
    if (size < kWritten || size % sizeof(uint64_t) != 0) return Error(EINVAL);
    CpuMask affinity = 0;
    {
        MutexGuard tree(process_tree);
        auto read = [&](Thread& thread) { affinity = thread.affinity.load(); };
        if (!with_thread(tid == 0 ? current_thread()->tid : tid, read)) return Error(ESRCH);
    }
    uint64_t online = affinity & ((1ull << cpu_count) - 1);
    TRY(copy_to_user(mask, &online, kWritten));
    return kWritten;
}

Result<void> sys_getcpu(UserOut<uint32_t> cpu, UserOut<uint32_t> node) {
    if (!cpu.is_null()) TRY(cpu.write(this_cpu().id));
    if (!node.is_null()) TRY(node.write(0));
    return {};
}

// ---- Users ----

Result<uint32_t> sys_getuid() { return uint32_t{0}; }

Result<uint32_t> sys_getgroups(int size, VirtAddr) {
    if (size < 0) return Error(EINVAL);
    return uint32_t{0};
}

Result<void> sys_setgroups(int size, VirtAddr) {
    return size == 0 ? Result<void>{} : Error(EPERM);
}

// -1 leaves an id as it is.
Result<void> sys_setresuid(uint32_t real, uint32_t effective, uint32_t saved) {
    for (uint32_t id : {real, effective, saved})
        if (id != 0 && id != ~0u) return Error(EPERM);
    return {};
}

Result<void> sys_getresuid(UserOut<uint32_t> real, UserOut<uint32_t> effective,
                           UserOut<uint32_t> saved) {
    TRY(real.write(0));
    TRY(effective.write(0));
    return saved.write(0);
}

// ---- Process groups and sessions ----

// Under process_tree: `pid`, or the caller for 0.
static Result<Process*> process_of(int32_t pid) {
    Process* process = pid == 0 ? &current_process() : find_process(pid);
    if (process == nullptr) return Error(ESRCH);
    return process;
}

Result<void> sys_setpgid(int32_t pid, int32_t group) {
    if (group < 0) return Error(EINVAL);
    Process& self = current_process();
    MutexGuard tree(process_tree);
    Process* process = TRY(process_of(pid));
    if (process != &self && process->parent != &self) return Error(ESRCH);
    if (process != &self && process->did_exec) return Error(EACCES);
    if (process->session != self.session || process->session == process->pid)
        return Error(EPERM);
    if (group == 0) group = process->pid;
    if (group != process->pid && !job_control_may_lead(group, self.session).ok())
        return Error(EPERM);
    process->group = group;
    return {};
}

Result<int32_t> sys_getpgid(int32_t pid) {
    MutexGuard tree(process_tree);
    return TRY(process_of(pid))->group;
}

Result<int32_t> sys_setsid() {
    Process& self = current_process();
    MutexGuard tree(process_tree);
    if (is_group_or_session(self.pid)) return Error(EPERM);
    self.group = self.session = self.pid;
    self.terminal = nullptr;
    return self.pid;
}

Result<int32_t> sys_getsid(int32_t pid) {
    MutexGuard tree(process_tree);
    return TRY(process_of(pid))->session;
}

// ---- The address space ----

namespace {

constexpr uint32_t kProtectionKnown = PROT_READ | PROT_WRITE | PROT_EXEC;
constexpr uint32_t kMapKnown = MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS |
                               MAP_GROWSDOWN | MAP_POPULATE | MAP_FIXED_NOREPLACE;

uint8_t to_protection(uint32_t protection) {
    static_assert(PROT_READ == kProtRead && PROT_WRITE == kProtWrite &&
                  PROT_EXEC == kProtExecute);
    return static_cast<uint8_t>(protection & kProtectionKnown);
}

AddressSpace& space() { return *current_process().space; }

}  // namespace

Result<VirtAddr> sys_mmap(VirtAddr address, uint64_t size, uint32_t protection, uint32_t flags,
                          int fd, uint64_t offset) {
    if ((flags & MAP_HUGETLB) != 0) return Error(ENOMEM);
    uint32_t known = flags & kMapKnown;
    if ((flags & MAP_ANONYMOUS) != 0)
        return space().map(address, size, to_protection(protection), known, nullptr, 0);

    FileRef file = TRY(current_process().files->get(fd));
    if (!file->readable()) return Error(EACCES);
    if ((flags & MAP_SHARED) != 0 && !file->writable()) {
        if ((protection & PROT_WRITE) != 0) return Error(EACCES);
        known |= kMapNeverWrite;
    }
    PageSource* source = file->inode->page_source();
    if (source == nullptr) return Error(ENODEV);
    return space().map(address, size, to_protection(protection), known, source, offset);
}

Result<void> sys_munmap(VirtAddr address, uint64_t size) {
    return space().unmap(address, size);
}

Result<void> sys_mprotect(VirtAddr address, uint64_t size, uint32_t protection) {
    if ((protection & ~kProtectionKnown) != 0) return Error(EINVAL);
    return space().protect(address, size, to_protection(protection));
}

Result<VirtAddr> sys_mremap(VirtAddr address, uint64_t old_size, uint64_t new_size,
                            uint32_t flags, VirtAddr new_address) {
    return space().remap(address, old_size, new_size, flags, new_address);
}

Result<void> sys_madvise(VirtAddr address, uint64_t size, int advice) {
    return space().advise(address, size, advice);
}

Result<VirtAddr> sys_brk(VirtAddr end) { return space().set_break(end); }

// ---- futex ----

// `time` null: for ever. FUTEX_WAIT gives a length, FUTEX_WAIT_BITSET a point in time.
static Result<uint32_t> wait(VirtAddr address, uint32_t expected, VirtAddr time,
                             bool absolute, uint32_t flags) {
    uint64_t deadline = kNoDeadline;
    if (time != 0) {
        deadline = TRY(to_ns(TRY(UserIn<TimeSpec>(time).read())));
        if (!absolute) deadline = deadline_after(deadline);
        else if ((flags & FUTEX_CLOCK_REALTIME) != 0) deadline = realtime_to_monotonic(deadline);
    }
    bool is_private = (flags & FUTEX_PRIVATE_FLAG) != 0;
    Result<void> result = futex_wait(address, expected, deadline, is_private);
    if (result.ok()) return uint32_t{0};
    if (result.error().number() != kERESTARTSYS || absolute || time == 0) return result.error();
    return restart_until(deadline);
}

// What the C libraries use: of the bit sets only "any", and no operation of the kernel's own
// mutexes (PI) or of those that compare before they move waiters.
Result<uint32_t> sys_futex(VirtAddr address, uint32_t operation, uint32_t value,
                           uint64_t timeout_or_count, VirtAddr address2, uint32_t value3) {
    bool is_private = (operation & FUTEX_PRIVATE_FLAG) != 0;
    switch (operation & FUTEX_CMD_MASK) {
        case FUTEX_WAIT: return wait(address, value, timeout_or_count, false, operation);
        case FUTEX_WAIT_BITSET:
            if (value3 != FUTEX_BITSET_MATCH_ANY) return Error(EINVAL);
            return wait(address, value, timeout_or_count, true, operation);
        case FUTEX_WAKE: return futex_wake(address, value, is_private);
        case FUTEX_REQUEUE:
            return futex_requeue(address, address2, value,
                                 static_cast<uint32_t>(timeout_or_count), is_private);
        default: return Error(ENOSYS);
    }
}
