// /dev/pts: a directory with a node for each PTY pair that has a master. Nothing is kept:
// a lookup asks lab 5's pty.cc whether the pair exists and makes a node for it.
#include "kernel/base/command_line.h"
#include "kernel/base/format.h"
#include "kernel/mm/slab.h"
#include "kernel/tty/pty.h"
#include "kernel/tty/tty.h"

namespace {

constexpr uint32_t kRootMode = S_IFDIR | 0755, kSlaveMode = S_IFCHR | 0620;
constexpr uint64_t kRootNumber = 1, kFirstSlaveNumber = 3;

FileSystem devpts("devpts", 0x1cd1);  // DEVPTS_SUPER_MAGIC, statfs(2)

class SlaveNode final : public Inode {
  public:
    explicit SlaveNode(uint32_t index) : Inode(kSlaveMode), index_(index) {
        number = kFirstSlaveNumber + index;
        file_system = &devpts;
        attributes.device = device_number(kPtsMajor, index);
        attributes.modified = attributes.accessed = attributes.changed = vfs_now();
    }
    Result<File*> open(uint32_t flags) override {
        return pty_open_slave(*this, flags, index_);
    }

  private:
    uint32_t index_;
};

class Directory final : public Inode {
  public:
    Directory() : Inode(kRootMode) { number = kRootNumber; }
    Inode* parent() override { return this; }
    Result<Inode*> lookup(std::string_view name) override {
        auto index = parse_number(name, 0, kMaxPtys - 1);
        if (!index || !pty_exists(static_cast<uint32_t>(*index))) return Error(ENOENT);
        return TRY(make<SlaveNode>(static_cast<uint32_t>(*index)));
    }
    // Pair n is at position n + 2.
    Result<void> list(uint64_t from, DirectoryListing& listing) override {
        for (uint64_t n = from - 2; n < kMaxPtys; n++) {
            char name[16];
            size_t length = format_to(name, sizeof name, "%lu", n);
            if (pty_exists(static_cast<uint32_t>(n)) &&
                !listing.add({name, length}, kFirstSlaveNumber + n, kSlaveMode, n + 3))
                break;
        }
        return {};
    }

  private:
    void destroy_self() override {}
};

}  // namespace

FileSystem& devpts_create() {
    static Directory root;
    devpts.set_root(&root);
    return devpts;
}
