// tmpfs: files in memory. The root file system, /tmp, and with a table of drivers /dev.
//
// The classes behind Inode, one per type of file. Directories are in tmpfs_directory.cc,
// regular files in tmpfs_file.cc, the file system and everything small in tmpfs.cc.
#pragma once
#include <atomic>

#include "kernel/fs/dir_index.h"
#include "kernel/fs/vfs.h"

class TmpfsDirectory;

class Tmpfs final : public FileSystem {
  public:
    static constexpr uint64_t kMagic = 0x01021994;  // statfs(2): TMPFS_MAGIC
    explicit Tmpfs(const char* type_name) : FileSystem(type_name, kMagic) {}
    SpaceUse space() override;

    // Makes an inode of any type with one reference, in no directory yet. ENOMEM, ENOSPC.
    Result<Inode*> make_inode(uint32_t mode, uint64_t device, std::string_view target);

    // Files may take half of the machine's memory, so that a runaway write is ENOSPC and
    // not the end of everything. False: no more.
    bool charge_page();
    void discharge_pages(uint64_t count) {
        used_pages_.fetch_sub(count, std::memory_order_relaxed);
    }
    uint64_t next_number() { return next_number_.fetch_add(1, std::memory_order_relaxed); }

  private:
    std::atomic<uint64_t> next_number_{1};
    std::atomic<uint64_t> used_pages_{0};
};

class TmpfsInode : public Inode {
  public:
    TmpfsInode(Tmpfs& fs, uint32_t mode);

  protected:
    Tmpfs& fs_;
};

// Its entries hold a reference of their inodes each. The way up needs none: a directory
// that was not removed has an entry in its parent, so the parent cannot go.
class TmpfsDirectory final : public TmpfsInode {
  public:
    TmpfsDirectory(Tmpfs& fs, uint32_t mode);
    ~TmpfsDirectory() override;

    Result<Inode*> lookup(std::string_view name) override;
    Result<Inode*> create(std::string_view name, uint32_t mode, uint64_t device,
                          std::string_view target) override;
    Result<void> link(std::string_view name, Inode& inode) override;
    Result<void> unlink(std::string_view name, Inode& inode) override;
    Result<void> rename(std::string_view name, Inode& inode, Inode& new_parent,
                        std::string_view new_name, Inode* replaced) override;
    Result<void> list(uint64_t position, DirectoryVisitor visit, void* context) override;
    Inode* parent() override { return parent_; }
    size_t name_in_parent(char* out, size_t size) override;
    Attributes stat() override;
    void become_root() { parent_ = this; }

  private:
    Result<void> add_entry(std::string_view name, Inode& inode);
    // A new entry, with a reference of its own. ENOENT: this directory was removed.
    Result<DirEntry*> insert(std::string_view name, Inode& inode);
    Result<DirEntry*> give_name(std::string_view name, Inode& inode, Inode* replaced);
    Result<void> lose(Inode& inode);
    void drop_entry(DirEntry& entry);
    // Marks an empty directory as removed: from then on nothing can be added. False: not
    // empty.
    bool close_empty();
    void adopt(TmpfsDirectory& child, DirEntry& entry);
    void touch();

    static constexpr uint64_t kRemoved = ~0ull;
    DirIndex index_;
    // Entries, or kRemoved. Changed by compare-exchange: rmdir closes a child directory
    // while it holds only the parent's Mutex.
    std::atomic<uint64_t> count_{0};
    TmpfsDirectory* parent_ GUARDED_BY(vfs_tree_lock) = nullptr;  // nullptr: removed
    DirEntry* self_ GUARDED_BY(vfs_tree_lock) = nullptr;  // the entry in the parent
};

// In tmpfs_file.cc.
Result<Inode*> tmpfs_make_file(Tmpfs& fs, uint32_t mode);
