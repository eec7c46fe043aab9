// System calls: the machine as a whole, limits, and what has no better place.
#include <algorithm>

#include "kernel/arch/panic.h"
#include "kernel/base/log.h"
#include "kernel/syscall/calls.h"

Result<void> sys_uname(UserOut<utsname> out) { return out.write(kSystemName); }

// ---- The machine ----

Result<void> sys_sysinfo(UserOut<struct sysinfo> out) {
    struct sysinfo info = {};
    info.uptime = static_cast<int64_t>(monotonic_ns() / kNsPerSecond);
    info.totalram = frames_total() * kPageSize;
    info.freeram = frames_free() * kPageSize;
    info.mem_unit = 1;
    {
        RcuReader reader;
        for ([[maybe_unused]] Process& process : all_processes) info.procs++;
    }
    return out.write(info);
}

Result<void> sys_reboot(uint32_t magic1, uint32_t magic2, uint32_t command) {
    constexpr uint32_t kKnown[] = {LINUX_REBOOT_MAGIC2, LINUX_REBOOT_MAGIC2A,
                                   LINUX_REBOOT_MAGIC2B, LINUX_REBOOT_MAGIC2C};
    if (magic1 != LINUX_REBOOT_MAGIC1 || std::ranges::count(kKnown, magic2) == 0)
        return Error(EINVAL);
    switch (command) {
        case LINUX_REBOOT_CMD_RESTART: machine_reboot();
        case LINUX_REBOOT_CMD_HALT:
        case LINUX_REBOOT_CMD_POWER_OFF: machine_power_off(kExitPowerOff);
        default: return Error(EINVAL);
    }
}

// Copies the last `size` bytes of the log.
static Result<uint64_t> copy_log(VirtAddr out, uint64_t size) {
    ScratchPage page;
    char* buffer = TRY(page.get());
    size_t total = log_size();
    size_t start = total > size ? total - size : 0;
    uint64_t copied = 0;
    while (copied < size) {
        size_t part = log_read(start + copied, buffer, std::min(size - copied, kPageSize));
        if (part == 0) break;
        TRY(copy_to_user(out + copied, buffer, part));
        copied += part;
    }
    return copied;
}

Result<uint64_t> sys_syslog(int type, VirtAddr out, int size) {
    enum { kReadAll = 3, kSizeBuffer = 10 };
    if (type == kSizeBuffer) return uint64_t{log_size()};
    if (type != kReadAll || size < 0) return Error(EINVAL);
    return copy_log(out, static_cast<uint64_t>(size));
}

Result<size_t> sys_getrandom(VirtAddr out, uint64_t size, uint32_t flags) {
    constexpr uint32_t kKnown = 7;  // GRND_NONBLOCK, _RANDOM, _INSECURE: all the same here
    if ((flags & ~kKnown) != 0) return Error(EINVAL);
    size = std::min<uint64_t>(size, INT32_MAX);
    if (!is_user_range(out, size)) return Error(EFAULT);
    IoBuffer buffer = IoBuffer::user(out, size);
    buffer.put_random();
    return buffer.moved();
}

// ---- prctl, arch_prctl ----

Result<uint64_t> sys_prctl(int option, uint64_t argument) {
    constexpr int kSetName = 15, kGetName = 16;
    Thread& thread = *current_thread();
    char name[sizeof thread.name] = {};
    switch (option) {
        case kSetName: {
            Result<size_t> length = copy_string_from_user(name, argument, sizeof name);
            if (!length.ok() && length.error().number() != ENAMETOOLONG) return length.error();
            name[sizeof name - 1] = '\0';
            memcpy(thread.name, name, sizeof name);
            return uint64_t{0};
        }
        case kGetName: TRY(copy_to_user(argument, thread.name, sizeof name)); return uint64_t{0};
        default: return Error(EINVAL);
    }
}

Result<void> sys_arch_prctl(int option, uint64_t argument) {
    constexpr int kSetGs = 0x1001, kSetFs = 0x1002, kGetFs = 0x1003, kGetGs = 0x1004;
    Thread& thread = *current_thread();
    user_bases_save();
    switch (option) {
        case kSetFs:
        case kSetGs:
            if (argument >= kUserTop) return Error(EPERM);
            user_bases_set(option == kSetFs ? argument : thread.fs_base,
                           option == kSetGs ? argument : thread.gs_base);
            return {};
        case kGetFs: return UserOut<uint64_t>(argument).write(thread.fs_base);
        case kGetGs: return UserOut<uint64_t>(argument).write(thread.gs_base);
        default: return Error(EINVAL);
    }
}

// No machine that we run on has a PMU; to profile, there is /proc/profile.
Result<int> sys_perf_event_open() { return Error(ENODEV); }

// ---- Resource limits ----

// Of the calling process only.
Result<void> sys_prlimit64(int32_t pid, uint32_t resource, UserIn<rlimit> limit,
                           UserOut<rlimit> old) {
    Process& process = current_process();
    if (pid != 0 && pid != process.pid) return Error(ESRCH);
    if (resource >= RLIM_NLIMITS) return Error(EINVAL);
    rlimit before = process.limits[resource];
    if (!limit.is_null()) {
        rlimit wanted = TRY(limit.read());
        if (wanted.rlim_cur > wanted.rlim_max) return Error(EINVAL);
        if (resource == RLIMIT_NOFILE) {
            if (wanted.rlim_max > FdTable::kMaxDescriptors) return Error(EPERM);
            process.files->limit = static_cast<int>(wanted.rlim_cur);
        }
        if (resource == RLIMIT_AS) process.space->limit_bytes = wanted.rlim_cur;
        process.limits[resource] = wanted;
    }
    return old.is_null() ? Result<void>{} : old.write(before);
}
