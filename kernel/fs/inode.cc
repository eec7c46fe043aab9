// What all inodes share: references and the defaults of the interface.
#include "kernel/fs/inode.h"

#include "kernel/fs/directory_file.h"
#include "kernel/fs/file_lock.h"
#include "kernel/fs/vfs.h"

Inode::~Inode() { file_locks_destroy(*this); }

void Inode::unref() {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy_self();
}

Result<File*> Inode::open(uint32_t flags) {
    switch (type()) {
        case S_IFDIR:
            return directory_open(*this, flags);
        case S_IFCHR:
        case S_IFBLK:
            return device_open(*this, flags);
        default:
            return Error(ENXIO);
    }
}

Attributes Inode::stat() { return attributes; }
