// System calls: user and group ids, process groups and sessions.
//
// There is one user: every process is root for ever, and permissions are not enforced. The
// calls say so; owners and modes of files are metadata only. Groups and sessions are under
// process_tree.
#include "kernel/syscall/calls.h"
#include "kernel/task/job_control.h"

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

namespace {

// Under process_tree: `pid`, or the caller for 0.
Result<Process*> process_of(int32_t pid) {
    Process* process = pid == 0 ? &current_process() : find_process(pid);
    if (process == nullptr) return Error(ESRCH);
    return process;
}

}  // namespace

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
