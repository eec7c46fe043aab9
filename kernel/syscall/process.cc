// System calls: making, replacing, ending and scheduling processes and threads.
#include "kernel/sched/scheduler.h"
#include "kernel/syscall/calls.h"
#include "kernel/task/clock.h"

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

Result<void> sys_execve(VirtAddr path, VirtAddr arguments, VirtAddr environment) {
    return exec_user(path, arguments, environment);
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
    if ((options & ~abi::kWaitKnown) != 0) return Error(EINVAL);
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
