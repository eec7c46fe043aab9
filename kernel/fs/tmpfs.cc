// tmpfs: the file system object, directories, and the types of files that are only a few
// words: symlinks, device nodes, FIFOs, sockets' names.
//
// Of directories finding and ordering the entries is lab 7's (dir_index.h); here are
// references, link counts and the way up.
#include "kernel/fs/tmpfs.h"

#include <algorithm>
#include <cstring>

#include "kernel/fs/dir_index.h"
#include "kernel/mm/frame.h"

namespace {

// ---- Directories ----

Result<DirEntry*> make_entry(std::string_view name, Inode& inode) {
    if (name.size() > kMaxName) return Error(ENAMETOOLONG);
    void* memory = kmalloc(sizeof(DirEntry) + name.size() + 1);
    if (memory == nullptr) return Error(ENOMEM);
    auto* entry = new (memory) DirEntry{};
    entry->inode = &inode;
    inode.ref();
    entry->length = static_cast<uint16_t>(name.size());
    memcpy(entry->name, name.data(), name.size());
    entry->name[name.size()] = '\0';
    return entry;
}

void free_entry(DirEntry& entry) {
    entry.inode->unref();
    kfree(&entry, sizeof(DirEntry) + entry.length + 1);
}

void add_links(Inode& file, int difference) {
    MutexGuard guard(file.mutex);
    file.attributes.links += static_cast<uint32_t>(difference);
    file.attributes.changed = vfs_now();
}

// Its entries hold a reference of their inodes each. The way up needs none: a directory
// that was not removed has an entry in its parent, so the parent cannot go.
//
// `links` are 2 (its name and its ".") plus one for the ".." of each directory in it; a
// file's are its names. A file's count is guarded by its own Mutex.
class TmpfsDirectory final : public TmpfsInode {
  public:
    TmpfsDirectory(Tmpfs& fs, uint32_t mode) : TmpfsInode(fs, mode) {
        attributes.links = 2;
        dir_index_init(index_);
    }
    ~TmpfsDirectory() override { dir_index_destroy(index_); }

    Result<Inode*> lookup(std::string_view name) override {
        if (name.size() > kMaxName) return Error(ENAMETOOLONG);
        DirEntry* entry = dir_index_find(index_, name);
        if (entry == nullptr) return Error(ENOENT);
        entry->inode->ref();
        return entry->inode;
    }
    Result<Inode*> create(std::string_view name, uint32_t mode, uint64_t device,
                          std::string_view target) override {
        InodeRef inode(TRY(fs_.make_inode(mode, device, target)));
        TRY(add_entry(name, *inode));
        return inode.release();
    }
    Result<void> link(std::string_view name, Inode& inode) override {
        TRY(add_entry(name, inode));
        add_links(inode, +1);
        return {};
    }
    Result<void> unlink(std::string_view name, Inode& inode) override {
        TRY(lose(inode));
        drop_entry(*dir_index_find(index_, name));
        touch();
        return {};
    }
    Result<void> rename(std::string_view name, Inode& inode, Inode& new_parent,
                        std::string_view new_name, Inode* replaced) override;
    Result<void> list(uint64_t position, DirectoryListing& listing) override {
        while (DirEntry* entry = dir_index_next(index_, position)) {
            position = entry->position + 1;
            const Inode& inode = *entry->inode;
            if (!listing.add(entry->text(), inode.number, inode.type(), position)) break;
        }
        return {};
    }
    Inode* parent() override REQUIRES(vfs_tree_lock) { return parent_; }
    size_t name_in_parent(char* out, size_t size) override REQUIRES(vfs_tree_lock) {
        if (self_ == nullptr || self_->length > size) return 0;
        memcpy(out, self_->name, self_->length);
        return self_->length;
    }
    Attributes stat() override {
        Attributes copy = attributes;
        uint64_t count = count_.load(std::memory_order_relaxed);
        copy.size = count == kRemoved ? 0 : 40 + 20 * count;  // any measure of fullness
        return copy;
    }
    // Before anybody else sees it.
    void become_root() NO_THREAD_SAFETY_ANALYSIS { parent_ = this; }

  private:
    // A new entry, with a reference of its own. ENOENT: this directory was removed.
    Result<DirEntry*> insert(std::string_view name, Inode& inode);
    Result<void> add_entry(std::string_view name, Inode& inode) {
        DirEntry* entry = TRY(insert(name, inode));
        if (inode.is_directory()) adopt(inode, *entry);
        touch();
        return {};
    }
    // The new name: the entry of what is replaced, or a fresh one.
    Result<DirEntry*> give_name(std::string_view name, Inode& inode, Inode* replaced);
    Result<void> lose(Inode& inode);
    // The caller has a reference of the entry's inode, so this is not the last one.
    void drop_entry(DirEntry& entry) {
        dir_index_remove(index_, entry);
        count_.fetch_sub(1);
        free_entry(entry);
    }
    // `entry` is the name of the directory `inode` from now on.
    void adopt(Inode& inode, DirEntry& entry) {
        auto& child = static_cast<TmpfsDirectory&>(inode);
        SpinGuard guard(vfs_tree_lock);
        child.parent_ = this;
        child.self_ = &entry;
        attributes.links++;
    }
    void touch() { attributes.modified = attributes.changed = vfs_now(); }

    static constexpr uint64_t kRemoved = ~0ull;
    DirIndex index_;
    // Entries, or kRemoved: from then on nothing can be added. Changed by
    // compare-exchange: rmdir closes a child directory while it holds only the parent's Mutex.
    std::atomic<uint64_t> count_{0};
    TmpfsDirectory* parent_ GUARDED_BY(vfs_tree_lock) = nullptr;  // nullptr: removed
    DirEntry* self_ GUARDED_BY(vfs_tree_lock) = nullptr;  // the entry in the parent
};

Result<DirEntry*> TmpfsDirectory::insert(std::string_view name, Inode& inode) {
    DirEntry* entry = TRY(make_entry(name, inode));
    Result<void> inserted = Error(ENOENT);
    uint64_t count = count_.load(std::memory_order_relaxed);
    while (count != kRemoved && !count_.compare_exchange_weak(count, count + 1)) {}
    if (count != kRemoved) {
        inserted = dir_index_insert(index_, *entry);
        if (inserted.ok()) return entry;
        count_.fetch_sub(1);
    }
    free_entry(*entry);
    return inserted.error();
}

// What a name's going means for the inode. The entry itself is still there.
Result<void> TmpfsDirectory::lose(Inode& inode) {
    if (!inode.is_directory()) {
        add_links(inode, -1);
        return {};
    }
    auto& child = static_cast<TmpfsDirectory&>(inode);
    uint64_t none = 0;
    if (!child.count_.compare_exchange_strong(none, kRemoved)) return Error(ENOTEMPTY);
    {
        SpinGuard guard(vfs_tree_lock);
        child.parent_ = nullptr;
        child.self_ = nullptr;
    }
    child.attributes.links = 0;
    attributes.links--;
    return {};
}

Result<DirEntry*> TmpfsDirectory::give_name(std::string_view name, Inode& inode,
                                            Inode* replaced) {
    if (replaced == nullptr) return insert(name, inode);
    DirEntry* entry = dir_index_find(index_, name);
    TRY(lose(*replaced));
    entry->inode = &inode;
    inode.ref();
    replaced->unref();  // not the last: the caller has one
    return entry;
}

Result<void> TmpfsDirectory::rename(std::string_view name, Inode& inode,
                                    Inode& new_parent, std::string_view new_name,
                                    Inode* replaced) {
    auto& target = static_cast<TmpfsDirectory&>(new_parent);
    DirEntry* old_entry = dir_index_find(index_, name);
    // Whatever can fail comes first: then both names are there, then the old one goes.
    DirEntry* new_entry = TRY(target.give_name(new_name, inode, replaced));
    if (inode.is_directory()) {
        target.adopt(inode, *new_entry);
        attributes.links--;
    }
    drop_entry(*old_entry);
    touch();
    target.touch();
    inode.attributes.changed = vfs_now();
    return {};
}

// ---- Small files ----

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
        return type() == S_IFIFO ? fifo_open(*this, pipe_, flags) : Inode::open(flags);
    }

  private:
    InodeRef pipe_;  // of a FIFO, from its first open on
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
