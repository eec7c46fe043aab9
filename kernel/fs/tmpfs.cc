// tmpfs: the file system object, and the types of files that are only a few words:
// symlinks, device nodes, FIFOs, sockets' names.
#include "kernel/fs/tmpfs.h"

#include <algorithm>
#include <cstring>

#include "kernel/fs/pipe.h"
#include "kernel/mm/frame.h"
#include "kernel/mm/slab.h"

namespace {

class TmpfsSymlink final : public TmpfsInode {
  public:
    // `text` comes from kmalloc(size).
    TmpfsSymlink(Tmpfs& fs, uint32_t mode, char* text, size_t size)
        : TmpfsInode(fs, mode), text_(text) {
        attributes.size = size;
    }
    ~TmpfsSymlink() override { kfree(text_, attributes.size); }
    Result<size_t> read_link(char* out, size_t size) override {
        memcpy(out, text_, std::min(attributes.size, size));
        return attributes.size;
    }

  private:
    char* text_;
};

// Device nodes (opened through the driver table), FIFOs and names of sockets.
class TmpfsNode final : public TmpfsInode {
  public:
    TmpfsNode(Tmpfs& fs, uint32_t mode, uint64_t device) : TmpfsInode(fs, mode) {
        attributes.device = device;
    }
    Result<File*> open(uint32_t flags) override {
        if (type() != S_IFIFO) return Inode::open(flags);
        {
            MutexGuard guard(mutex);
            if (!pipe_) pipe_.reset(TRY(Pipe::create()));
        }
        return pipe_->open_end(*this, flags);
    }

  private:
    Ref<Pipe> pipe_;  // of a FIFO, from its first open on
};

Result<Inode*> make_symlink(Tmpfs& fs, uint32_t mode, std::string_view target) {
    if (target.size() >= kMaxPath) return Error(ENAMETOOLONG);
    char* text = static_cast<char*>(kmalloc(target.size()));
    if (text == nullptr) return Error(ENOMEM);
    memcpy(text, target.data(), target.size());
    auto link = make<TmpfsSymlink>(fs, mode, text, target.size());
    if (link.ok()) return link.value();
    kfree(text, target.size());
    return link.error();
}

}  // namespace

TmpfsInode::TmpfsInode(Tmpfs& fs, uint32_t mode) : Inode(mode), fs_(fs) {
    file_system = &fs;
    number = fs.next_number();
    attributes.accessed = attributes.modified = attributes.changed = vfs_now();
}

Result<Inode*> Tmpfs::make_inode(uint32_t mode, uint64_t device,
                                 std::string_view target) {
    switch (mode & S_IFMT) {
        case S_IFREG: return tmpfs_make_file(*this, mode);
        case S_IFDIR: return TRY(make<TmpfsDirectory>(*this, mode));
        case S_IFLNK: return make_symlink(*this, mode, target);
        default: return TRY(make<TmpfsNode>(*this, mode, device));
    }
}

bool Tmpfs::charge_page() {
    if (used_pages_.fetch_add(1, std::memory_order_relaxed) < frames_total() / 2)
        return true;
    discharge_pages(1);
    return false;
}

SpaceUse Tmpfs::space() {
    uint64_t limit = frames_total() / 2;
    return {limit, limit - std::min(limit, used_pages_.load(std::memory_order_relaxed))};
}

FileSystem& tmpfs_create(const char* type_name) {
    auto fs = make<Tmpfs>(type_name);
    if (!fs.ok()) panic("no memory for a %s", type_name);
    auto root = make<TmpfsDirectory>(*fs.value(), S_IFDIR | 0755);
    if (!root.ok()) panic("no memory for the root of a %s", type_name);
    root.value()->become_root();
    fs.value()->set_root(root.value());
    return *fs.value();
}
