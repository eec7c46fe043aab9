// tmpfs: files in memory. The root file system, /tmp, and with a table of drivers /dev.
//
// The classes behind Inode, one per type of file: regular files are in tmpfs_file.cc, all
// else in tmpfs.cc.
#pragma once
#include <atomic>

#include "kernel/fs/vfs.h"

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

// In tmpfs_file.cc.
Result<Inode*> tmpfs_make_file(Tmpfs& fs, uint32_t mode);
