// Path arguments of system calls: copied in once, then resolved for the calling process.
#pragma once
#include <string_view>

#include "kernel/fs/scratch_page.h"
#include "kernel/fs/vfs.h"
#include "kernel/task/process.h"

// The kernel's copy of a path. Most are short and stay on the stack; others get a page.
class UserPath {
  public:
    Result<void> read(VirtAddr address);  // EFAULT, ENAMETOOLONG
    std::string_view text() const { return text_; }
    bool absolute() const { return !text_.empty() && text_[0] == '/'; }

  private:
    char short_[200];
    ScratchPage long_;
    std::string_view text_;
};

// The inode that (dirfd, path) of an ...at call names. Of `flags` AT_SYMLINK_NOFOLLOW and
// AT_EMPTY_PATH count: with the latter an empty path means dirfd itself.
Result<InodeRef> inode_at(int dirfd, VirtAddr path, int flags);
// Of an open descriptor.
Result<InodeRef> inode_of(int fd);
