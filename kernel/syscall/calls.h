// The system calls, as C++ functions: see adapt.h for how registers become these parameters,
// and the manual page of each name (section 2) for what it does.
#pragma once
#include <cstdint>

#include "kernel/abi/clone.h"
#include "kernel/abi/signal.h"
#include "kernel/abi/system.h"
#include "kernel/base/result.h"
#include "kernel/fs/inode.h"
#include "kernel/mm/user_access.h"
#include "kernel/signal/signal.h"
#include "kernel/syscall/calls_fs.h"
#include "kernel/task/process.h"

// ---- process.cc ----
Result<int32_t> sys_fork();
Result<int32_t> sys_vfork();
Result<int32_t> sys_clone(uint64_t flags, VirtAddr stack, VirtAddr parent_tid,
                          VirtAddr child_tid, uint64_t tls);
Result<int32_t> sys_clone3(VirtAddr arguments, uint64_t size);
Result<void> sys_execve(VirtAddr path, VirtAddr arguments, VirtAddr environment);
Result<void> sys_exit(int code);
Result<void> sys_exit_group(int code);
Result<int32_t> sys_wait4(int32_t which, UserOut<int32_t> status, int options,
                          UserOut<abi::ResourceUsage> usage);
Result<int32_t> sys_getpid();
Result<int32_t> sys_gettid();
Result<int32_t> sys_getppid();
Result<int32_t> sys_set_tid_address(VirtAddr address);
Result<void> sys_set_robust_list(VirtAddr head, uint64_t size);
Result<void> sys_get_robust_list(int32_t tid, UserOut<uint64_t> head, UserOut<uint64_t> size);
Result<void> sys_rseq(VirtAddr area, uint32_t size, int flags, uint32_t signature);
Result<void> sys_sched_yield();
Result<void> sys_sched_setaffinity(int32_t tid, uint32_t size, VirtAddr mask);
Result<uint32_t> sys_sched_getaffinity(int32_t tid, uint32_t size, VirtAddr mask);
Result<void> sys_getcpu(UserOut<uint32_t> cpu, UserOut<uint32_t> node, VirtAddr unused);
Result<int> sys_getpriority(int which, int32_t who);
Result<void> sys_setpriority(int which, int32_t who, int nice);

// ---- memory.cc ----
Result<VirtAddr> sys_mmap(VirtAddr address, uint64_t size, uint32_t protection, uint32_t flags,
                          int fd, uint64_t offset);
Result<void> sys_munmap(VirtAddr address, uint64_t size);
Result<void> sys_mprotect(VirtAddr address, uint64_t size, uint32_t protection);
Result<VirtAddr> sys_mremap(VirtAddr address, uint64_t old_size, uint64_t new_size,
                            uint32_t flags, VirtAddr new_address);
Result<void> sys_madvise(VirtAddr address, uint64_t size, int advice);
Result<void> sys_msync(VirtAddr address, uint64_t size, int flags);
Result<VirtAddr> sys_brk(VirtAddr end);

// ---- signal.cc ----
Result<void> sys_rt_sigaction(int signal, UserIn<abi::SigAction> action,
                              UserOut<abi::SigAction> old, uint64_t set_size);
Result<void> sys_rt_sigprocmask(int how, UserIn<SignalSet> set, UserOut<SignalSet> old,
                                uint64_t set_size);
Result<void> sys_rt_sigpending(UserOut<SignalSet> set, uint64_t set_size);
Result<void> sys_rt_sigsuspend(UserIn<SignalSet> mask, uint64_t set_size);
Result<uint64_t> sys_rt_sigreturn();
Result<void> sys_sigaltstack(UserIn<SignalStack> stack, UserOut<SignalStack> old);
Result<void> sys_kill(int32_t pid, int signal);
Result<void> sys_tkill(int32_t tid, int signal);
Result<void> sys_tgkill(int32_t pid, int32_t tid, int signal);
Result<void> sys_pause();

// ---- time.cc ----
Result<void> sys_clock_gettime(int clock, UserOut<TimeSpec> time);
Result<void> sys_clock_getres(int clock, UserOut<TimeSpec> resolution);
Result<void> sys_clock_nanosleep(int clock, int flags, UserIn<TimeSpec> time,
                                 UserOut<TimeSpec> remaining);
Result<void> sys_nanosleep(UserIn<TimeSpec> time, UserOut<TimeSpec> remaining);
Result<void> sys_gettimeofday(UserOut<abi::TimeVal> time, UserOut<uint64_t> zone);
Result<int64_t> sys_time(UserOut<int64_t> time);
Result<int64_t> sys_times(UserOut<abi::ProcessTicks> ticks);
Result<void> sys_getrusage(int who, UserOut<abi::ResourceUsage> usage);
Result<void> sys_getitimer(int which, UserOut<abi::IntervalTimer> value);
Result<void> sys_setitimer(int which, UserIn<abi::IntervalTimer> value,
                           UserOut<abi::IntervalTimer> old);
Result<uint32_t> sys_alarm(uint32_t seconds);

// ---- identity.cc ----
Result<uint32_t> sys_getuid();
Result<uint32_t> sys_geteuid();
Result<uint32_t> sys_getgid();
Result<uint32_t> sys_getegid();
Result<void> sys_setuid(uint32_t uid);
Result<void> sys_setgid(uint32_t gid);
Result<void> sys_setreuid(uint32_t real, uint32_t effective);
Result<void> sys_setregid(uint32_t real, uint32_t effective);
Result<void> sys_setresuid(uint32_t real, uint32_t effective, uint32_t saved);
Result<void> sys_setresgid(uint32_t real, uint32_t effective, uint32_t saved);
Result<void> sys_getresuid(UserOut<uint32_t> real, UserOut<uint32_t> effective,
                           UserOut<uint32_t> saved);
Result<void> sys_getresgid(UserOut<uint32_t> real, UserOut<uint32_t> effective,
                           UserOut<uint32_t> saved);
Result<uint32_t> sys_getgroups(int size, VirtAddr groups);
Result<void> sys_setgroups(int size, VirtAddr groups);
Result<void> sys_setpgid(int32_t pid, int32_t group);
Result<int32_t> sys_getpgid(int32_t pid);
Result<int32_t> sys_getpgrp();
Result<int32_t> sys_setsid();
Result<int32_t> sys_getsid(int32_t pid);

// ---- futex.cc ----
Result<uint32_t> sys_futex(VirtAddr address, uint32_t operation, uint32_t value,
                           uint64_t timeout_or_count, VirtAddr address2, uint32_t value3);

// ---- system.cc ----
Result<void> sys_uname(UserOut<abi::UnameText> out);
Result<void> sys_sethostname(VirtAddr name, uint64_t length);
Result<void> sys_sysinfo(UserOut<abi::SystemInfo> out);
Result<void> sys_reboot(uint32_t magic1, uint32_t magic2, uint32_t command, VirtAddr argument);
Result<uint64_t> sys_syslog(int type, VirtAddr out, int size);
Result<size_t> sys_getrandom(VirtAddr out, uint64_t size, uint32_t flags);
Result<uint64_t> sys_prctl(int option, uint64_t argument);
Result<void> sys_arch_prctl(int option, uint64_t argument);
Result<void> sys_getrlimit(uint32_t resource, UserOut<ResourceLimit> limit);
Result<void> sys_setrlimit(uint32_t resource, UserIn<ResourceLimit> limit);
Result<void> sys_prlimit64(int32_t pid, uint32_t resource, UserIn<ResourceLimit> limit,
                           UserOut<ResourceLimit> old);
