// Shared by the files of the VFS, not for others.
#pragma once
#include "kernel/fs/vfs.h"

// May this user take `inode` out of `parent`? Write and search rights, and the sticky
// bit.
Result<void> vfs_may_remove(const WalkContext& context, Inode& parent, Inode& inode);
// The owner of a new inode: who made it, and in a set-group-ID directory its group.
void vfs_set_owner(const WalkContext& context, const Inode& parent, Inode& made);
