// Path arguments of system calls: copied in once, then resolved for the calling process.
#pragma once
#include <optional>
#include <string_view>

#include "kernel/fs/scratch_page.h"
#include "kernel/fs/vfs.h"
#include "kernel/task/process.h"

// The kernel's copy of a path. Most are short and stay on the stack; others get a page.
class UserPath {
  public:
    Result<void> read(VirtAddr address);  // EFAULT, ENAMETOOLONG
    // Where the walk of an ...at call starts. EBADF, ENOTDIR.
    Result<void> start_at(int dirfd);
    Result<void> read_at(int dirfd, VirtAddr address) {
        TRY(read(address));
        return start_at(dirfd);
    }
    std::string_view text() const { return text_; }
    const WalkContext& context() const { return walk_->context(); }  // after start_at

  private:
    char short_[200];
    ScratchPage long_;
    std::string_view text_;
    std::optional<ProcessWalk> walk_;
};

// The inode that (dirfd, path) of an ...at call names. Of `flags` AT_SYMLINK_NOFOLLOW and
// AT_EMPTY_PATH count: with the latter an empty path means dirfd itself.
Result<InodeRef> inode_at(int dirfd, VirtAddr path, int flags);
// Of an open descriptor.
Result<InodeRef> inode_of(int fd);
