// System calls: user and group ids, process groups and sessions.
//
// Ids are changed by the process's own threads only, and read by others (kill) as single
// words: no lock. Groups and sessions are under process_tree.
#include "kernel/syscall/calls.h"

namespace {

constexpr uint32_t kUnchanged = ~0u;  // -1

// The real, effective and saved id of one kind.
struct Ids {
    uint32_t &real, &effective, &saved;

    bool has(uint32_t id) const { return id == real || id == effective || id == saved; }
    // setresuid(2): an unprivileged process may use ids that it has already.
    Result<void> set(bool privileged, uint32_t new_real, uint32_t new_effective,
                     uint32_t new_saved) {
        for (uint32_t id : {new_real, new_effective, new_saved}) {
            if (id != kUnchanged && !privileged && !has(id)) return Error(EPERM);
        }
        if (new_real != kUnchanged) real = new_real;
        if (new_effective != kUnchanged) effective = new_effective;
        if (new_saved != kUnchanged) saved = new_saved;
        return {};
    }
    // setuid(2).
    Result<void> set_one(bool privileged, uint32_t id) {
        if (id == kUnchanged) return Error(EINVAL);
        return privileged ? set(true, id, id, id) : set(false, kUnchanged, id, kUnchanged);
    }
    // setreuid(2): the saved id follows the effective one.
    Result<void> set_two(bool privileged, uint32_t new_real, uint32_t new_effective) {
        uint32_t before = real;
        TRY(set(privileged, new_real, new_effective, kUnchanged));
        if (new_real != kUnchanged || (new_effective != kUnchanged && new_effective != before))
            saved = effective;
        return {};
    }
    Result<void> get(UserOut<uint32_t> real_out, UserOut<uint32_t> effective_out,
                     UserOut<uint32_t> saved_out) const {
        TRY(real_out.write(real));
        TRY(effective_out.write(effective));
        return saved_out.write(saved);
    }
};

Ids users() {
    Process& process = current_process();
    return {process.uid, process.euid, process.suid};
}
Ids groups() {
    Process& process = current_process();
    return {process.gid, process.egid, process.sgid};
}
bool privileged() { return current_process().euid == 0; }

}  // namespace

Result<uint32_t> sys_getuid() { return current_process().uid; }
Result<uint32_t> sys_geteuid() { return current_process().euid; }
Result<uint32_t> sys_getgid() { return current_process().gid; }
Result<uint32_t> sys_getegid() { return current_process().egid; }

Result<void> sys_setuid(uint32_t uid) { return users().set_one(privileged(), uid); }
Result<void> sys_setgid(uint32_t gid) { return groups().set_one(privileged(), gid); }
Result<void> sys_setreuid(uint32_t real, uint32_t effective) {
    return users().set_two(privileged(), real, effective);
}
Result<void> sys_setregid(uint32_t real, uint32_t effective) {
    return groups().set_two(privileged(), real, effective);
}
Result<void> sys_setresuid(uint32_t real, uint32_t effective, uint32_t saved) {
    return users().set(privileged(), real, effective, saved);
}
Result<void> sys_setresgid(uint32_t real, uint32_t effective, uint32_t saved) {
    return groups().set(privileged(), real, effective, saved);
}
Result<void> sys_getresuid(UserOut<uint32_t> real, UserOut<uint32_t> effective,
                           UserOut<uint32_t> saved) {
    return users().get(real, effective, saved);
}
Result<void> sys_getresgid(UserOut<uint32_t> real, UserOut<uint32_t> effective,
                           UserOut<uint32_t> saved) {
    return groups().get(real, effective, saved);
}

// Supplementary groups are not kept: nothing checks them.
Result<uint32_t> sys_getgroups(int size, VirtAddr) {
    if (size < 0) return Error(EINVAL);
    return uint32_t{0};
}
Result<void> sys_setgroups(int size, VirtAddr groups) {
    constexpr int kMaxGroups = 65536;  // NGROUPS_MAX
    if (!privileged()) return Error(EPERM);
    if (size < 0 || size > kMaxGroups) return Error(EINVAL);
    for (int i = 0; i < size; i++)
        TRY(UserIn<uint32_t>(groups).read(static_cast<size_t>(i)));
    return {};
}

// ---- Process groups and sessions ----

namespace {

// Under process_tree: `pid`, or the caller for 0.
Result<Process*> process_of(int32_t pid) {
    Process* process = pid == 0 ? &current_process() : find_process(pid);
    if (process == nullptr) return Error(ESRCH);
    return process;
}

bool session_has_group(int32_t session, int32_t group) {
    for (Process& process : all_processes) {
        if (process.session == session && process.group == group) return true;
    }
    return false;
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
    if (group != process->pid && !session_has_group(self.session, group)) return Error(EPERM);
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
