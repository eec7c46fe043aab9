// The system calls about files. Included by calls.h; see adapt.h for how registers become
// these parameters, and the manual page of each name (section 2) for what it does.
#pragma once
#include <cstdint>

#include "kernel/base/result.h"
#include "kernel/base/types.h"

// ---- transfer.cc: moving data ----
Result<size_t> sys_read(int fd, VirtAddr to, uint64_t size);
Result<size_t> sys_write(int fd, VirtAddr from, uint64_t size);
Result<size_t> sys_pread64(int fd, VirtAddr to, uint64_t size, int64_t offset);
Result<size_t> sys_pwrite64(int fd, VirtAddr from, uint64_t size, int64_t offset);
Result<size_t> sys_readv(int fd, VirtAddr vectors, int count);
Result<size_t> sys_writev(int fd, VirtAddr vectors, int count);
Result<size_t> sys_preadv(int fd, VirtAddr vectors, int count, int64_t offset);
Result<size_t> sys_pwritev(int fd, VirtAddr vectors, int count, int64_t offset);
Result<size_t> sys_sendfile(int out_fd, int in_fd, VirtAddr offset, uint64_t size);
Result<uint64_t> sys_lseek(int fd, int64_t offset, int whence);

// ---- descriptors.cc ----
Result<void> sys_close(int fd);
Result<void> sys_close_range(uint32_t first, uint32_t last, uint32_t flags);
Result<int> sys_dup(int fd);
Result<int> sys_dup2(int old_fd, int new_fd);
Result<int> sys_dup3(int old_fd, int new_fd, uint32_t flags);
Result<uint64_t> sys_fcntl(int fd, int command, uint64_t argument);
Result<void> sys_flock(int fd, int operation);
Result<uint64_t> sys_ioctl(int fd, uint32_t request, VirtAddr argument);
Result<void> sys_pipe(VirtAddr fds);
Result<void> sys_pipe2(VirtAddr fds, uint32_t flags);
Result<void> sys_fsync(int fd);
Result<void> sys_fdatasync(int fd);
Result<void> sys_fadvise64(int fd, int64_t offset, int64_t size, int advice);
Result<void> sys_ftruncate(int fd, int64_t size);
Result<void> sys_fallocate(int fd, int mode, int64_t offset, int64_t size);
Result<void> sys_sync();

// ---- names.cc: paths ----
Result<int> sys_open(VirtAddr path, uint32_t flags, uint32_t mode);
Result<int> sys_openat(int dirfd, VirtAddr path, uint32_t flags, uint32_t mode);
Result<int> sys_creat(VirtAddr path, uint32_t mode);
Result<void> sys_mkdir(VirtAddr path, uint32_t mode);
Result<void> sys_mkdirat(int dirfd, VirtAddr path, uint32_t mode);
Result<void> sys_mknod(VirtAddr path, uint32_t mode, uint64_t device);
Result<void> sys_mknodat(int dirfd, VirtAddr path, uint32_t mode, uint64_t device);
Result<void> sys_rmdir(VirtAddr path);
Result<void> sys_unlink(VirtAddr path);
Result<void> sys_unlinkat(int dirfd, VirtAddr path, int flags);
Result<void> sys_rename(VirtAddr from, VirtAddr to);
Result<void> sys_renameat(int from_fd, VirtAddr from, int to_fd, VirtAddr to);
Result<void> sys_renameat2(int from_fd, VirtAddr from, int to_fd, VirtAddr to,
                           uint32_t flags);
Result<void> sys_link(VirtAddr from, VirtAddr to);
Result<void> sys_linkat(int from_fd, VirtAddr from, int to_fd, VirtAddr to, int flags);
Result<void> sys_symlink(VirtAddr target, VirtAddr path);
Result<void> sys_symlinkat(VirtAddr target, int dirfd, VirtAddr path);
Result<size_t> sys_readlink(VirtAddr path, VirtAddr out, uint64_t size);
Result<size_t> sys_readlinkat(int dirfd, VirtAddr path, VirtAddr out, uint64_t size);

// ---- directory.cc ----
Result<size_t> sys_getdents64(int fd, VirtAddr out, uint32_t size);
Result<size_t> sys_getcwd(VirtAddr out, uint64_t size);
Result<void> sys_chdir(VirtAddr path);
Result<void> sys_fchdir(int fd);
Result<uint32_t> sys_umask(uint32_t mask);
Result<void> sys_mount(VirtAddr source, VirtAddr target, VirtAddr type, uint64_t flags,
                       VirtAddr data);

// ---- stat.cc ----
Result<void> sys_stat(VirtAddr path, VirtAddr out);
Result<void> sys_lstat(VirtAddr path, VirtAddr out);
Result<void> sys_fstat(int fd, VirtAddr out);
Result<void> sys_newfstatat(int dirfd, VirtAddr path, VirtAddr out, int flags);
Result<void> sys_statx(int dirfd, VirtAddr path, int flags, uint32_t mask, VirtAddr out);
Result<void> sys_statfs(VirtAddr path, VirtAddr out);
Result<void> sys_fstatfs(int fd, VirtAddr out);
Result<void> sys_access(VirtAddr path, uint32_t mode);
Result<void> sys_faccessat(int dirfd, VirtAddr path, uint32_t mode);
Result<void> sys_faccessat2(int dirfd, VirtAddr path, uint32_t mode, int flags);

// ---- attributes.cc ----
Result<void> sys_chmod(VirtAddr path, uint32_t mode);
Result<void> sys_fchmod(int fd, uint32_t mode);
Result<void> sys_fchmodat(int dirfd, VirtAddr path, uint32_t mode);
Result<void> sys_chown(VirtAddr path, uint32_t uid, uint32_t gid);
Result<void> sys_fchown(int fd, uint32_t uid, uint32_t gid);
Result<void> sys_lchown(VirtAddr path, uint32_t uid, uint32_t gid);
Result<void> sys_fchownat(int dirfd, VirtAddr path, uint32_t uid, uint32_t gid,
                          int flags);
Result<void> sys_utime(VirtAddr path, VirtAddr times);
Result<void> sys_utimes(VirtAddr path, VirtAddr times);
Result<void> sys_futimesat(int dirfd, VirtAddr path, VirtAddr times);
Result<void> sys_utimensat(int dirfd, VirtAddr path, VirtAddr times, int flags);
Result<void> sys_truncate(VirtAddr path, int64_t size);

// ---- poll.cc ----
Result<int> sys_poll(VirtAddr fds, uint32_t count, int timeout_ms);
Result<int> sys_ppoll(VirtAddr fds, uint32_t count, VirtAddr timeout, VirtAddr mask,
                      uint64_t mask_size);
Result<int> sys_select(int count, VirtAddr in, VirtAddr out, VirtAddr except,
                       VirtAddr timeout);
Result<int> sys_pselect6(int count, VirtAddr in, VirtAddr out, VirtAddr except,
                         VirtAddr timeout, VirtAddr mask_argument);
