// System calls on directories: listing, the working directory.
#include <algorithm>
#include <cstring>
#include <dirent.h>

#include "kernel/syscall/calls.h"
#include "kernel/syscall/path_argument.h"

namespace {

// ---- getdents64 ----

constexpr size_t kDirentHead = offsetof(dirent64, d_name);

// Where the next record goes, in kernel memory.
struct DirentWriter {
    char* at;
    size_t left;
    uint64_t position = 0;  // behind the last record
    bool full = false;

    bool add(std::string_view name, uint64_t inode, uint8_t type, uint64_t next_position) {
        size_t size = round_up(kDirentHead + name.size() + 1, 8);
        full = size > left;
        if (full) return false;
        dirent64 head = {inode, static_cast<int64_t>(next_position),
                         static_cast<uint16_t>(size), type, {}};
        memset(at + size - 8, 0, 8);  // the end of the name; it may overwrite some of it
        memcpy(at, &head, kDirentHead);
        memcpy(at + kDirentHead, name.data(), name.size());
        at += size;
        left -= size;
        position = next_position;
        return true;
    }
};

}  // namespace

// A page of records at most: the caller asks again.
Result<size_t> sys_getdents64(int fd, VirtAddr out, uint32_t size) {
    FileRef file = TRY(current_process().files->get(fd));
    if (!file->inode->is_directory()) return Error(ENOTDIR);
    ScratchPage page;
    char* records = TRY(page.get());
    DirentWriter writer{records, std::min<size_t>(size, kPageSize)};
    MutexGuard offset_guard(file->offset_mutex);
    {
        MutexGuard guard(file->inode->mutex);
        TRY(file->inode->list(
            file->offset,
            [](void* context, std::string_view name, uint64_t inode, uint8_t type,
               uint64_t next_position) {
                return static_cast<DirentWriter*>(context)->add(name, inode, type,
                                                                next_position);
            },
            &writer));
    }
    auto total = static_cast<size_t>(writer.at - records);
    if (total == 0) return writer.full ? Result<size_t>(Error(EINVAL)) : size_t{0};
    TRY(copy_to_user(out, records, total));
    file->offset = writer.position;
    return total;
}

// ---- The working directory ----

Result<size_t> sys_getcwd(VirtAddr out, uint64_t size) {
    ProcessWalk walk = TRY(ProcessWalk::at(AT_FDCWD, false));
    const WalkContext& context = walk.context();
    ScratchPage page;
    char* text = TRY(page.get());
    size_t length = TRY(vfs_path_of(context.root, context.directory, text, kMaxPath - 1));
    text[length++] = '\0';
    if (length > size) return Error(ERANGE);
    TRY(copy_to_user(out, text, length));
    return length;
}

static Result<void> change_directory(InodeRef directory) {
    Process& process = current_process();
    if (!directory->is_directory()) return Error(ENOTDIR);
    InodeRef old;  // dropped outside of the lock
    SpinGuard guard(process.lock);
    old.reset(std::exchange(process.working_directory, directory.release()));
    return {};
}

Result<void> sys_chdir(VirtAddr path) {
    return change_directory(TRY(inode_at(AT_FDCWD, path, 0)));
}

Result<void> sys_fchdir(int fd) { return change_directory(TRY(inode_of(fd))); }

Result<uint32_t> sys_umask(uint32_t mask) {
    return current_process().umask.exchange(mask & 0777);
}

