// Files that stand for an inode only: open directories, and O_PATH descriptors of
// anything.
#pragma once
#include "kernel/fs/file.h"

// An open directory: read by getdents64(2) through Inode::list; the offset is its
// position.
Result<File*> directory_open(Inode& directory, uint32_t flags);
// open(2) with O_PATH: names the inode, cannot read or write it.
Result<File*> path_file_open(Inode& inode, uint32_t flags);
