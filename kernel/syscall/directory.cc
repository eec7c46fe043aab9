// System calls on directories: listing, the working directory.
#include <algorithm>
#include <cstring>

#include "kernel/mm/user_access.h"
#include "kernel/syscall/calls.h"
#include "kernel/syscall/path_argument.h"

namespace {

// ---- getdents64 ----

struct UserDirent {  // struct linux_dirent64, up to the name
    uint64_t inode;
    int64_t next_position;
    uint16_t record_size;
    uint8_t type;
} __attribute__((packed));
static_assert(sizeof(UserDirent) == 19);

// Collects records and copies them out in pieces: directories have many small entries.
class DirentWriter {
  public:
    DirentWriter(VirtAddr out, uint32_t size) : out_(out), left_(size) {}

    // False: the caller's buffer is full, or faulted.
    bool add(std::string_view name, uint64_t inode, uint8_t type,
             uint64_t next_position) {
        size_t size = round_up(sizeof(UserDirent) + name.size() + 1, 8);
        if (size > left_) return false;
        if (size > sizeof piece_ - used_ && !flush()) return false;
        char* record = piece_ + used_;
        UserDirent head = {inode, static_cast<int64_t>(next_position),
                           static_cast<uint16_t>(size), type};
        memset(record + size - 8, 0,
               8);  // the padding; the name may overwrite some of it
        memcpy(record, &head, sizeof head);
        memcpy(record + sizeof head, name.data(), name.size());
        record[sizeof head + name.size()] = '\0';
        used_ += size;
        left_ -= size;
        total_ += size;
        position_ = next_position;
        return true;
    }
    bool flush() {
        faulted_ |= !copy_to_user(out_, piece_, used_).ok();
        out_ += used_;
        used_ = 0;
        return !faulted_;
    }
    bool faulted() const { return faulted_; }
    size_t total() const { return total_; }
    uint64_t position() const { return position_; }

  private:
    char piece_[1024];
    size_t used_ = 0, total_ = 0;
    VirtAddr out_;
    size_t left_;
    uint64_t position_ = 0;
    bool faulted_ = false;
};

}  // namespace

Result<size_t> sys_getdents64(int fd, VirtAddr out, uint32_t size) {
    FileRef file = TRY(current_process().files->get(fd));
    if (!file->inode->is_directory()) return Error(ENOTDIR);
    if (!is_user_range(out, size)) return Error(EFAULT);
    DirentWriter writer(out, size);
    struct Visit {
        DirentWriter& writer;
        bool full = false;
    } visit{writer};
    MutexGuard offset_guard(file->offset_mutex);
    {
        MutexGuard guard(file->inode->mutex);
        TRY(file->inode->list(
            file->offset,
            [](void* context, std::string_view name, uint64_t inode, uint8_t type,
               uint64_t next_position) {
                auto& visit = *static_cast<Visit*>(context);
                visit.full = !visit.writer.add(name, inode, type, next_position);
                return !visit.full;
            },
            &visit));
    }
    writer.flush();
    if (writer.faulted()) return Error(EFAULT);
    if (writer.total() == 0)
        return visit.full ? Result<size_t>(Error(EINVAL)) : size_t{0};
    file->offset = writer.position();
    return writer.total();
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

namespace {

Result<void> change_directory(InodeRef directory) {
    Process& process = current_process();
    if (!directory->is_directory()) return Error(ENOTDIR);
    InodeRef old;  // dropped outside of the lock
    SpinGuard guard(process.lock);
    Inode* previous = process.working_directory;
    process.working_directory = directory.release();
    old.reset(previous);
    return {};
}

}  // namespace

Result<void> sys_chdir(VirtAddr path) {
    return change_directory(TRY(inode_at(AT_FDCWD, path, 0)));
}

Result<void> sys_fchdir(int fd) { return change_directory(TRY(inode_of(fd))); }

Result<uint32_t> sys_umask(uint32_t mask) {
    return current_process().umask.exchange(mask & 0777);
}

