// Directories of tmpfs. Finding and ordering the entries is lab 7's (dir_index.h); here
// are references, link counts and the way up.
//
// A directory's `links` are 2 (its name and its ".") plus one for the ".." of each
// directory in it; a file's are its names. A file's count is guarded by its own Mutex.
#include <cstring>

#include "kernel/fs/tmpfs.h"
#include "kernel/mm/slab.h"

namespace {

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

uint8_t dirent_type(const Inode& inode) {  // DT_* are the bits of S_IFMT, shifted
    return static_cast<uint8_t>(inode.type() >> 12);
}

}  // namespace

TmpfsDirectory::TmpfsDirectory(Tmpfs& fs, uint32_t mode) : TmpfsInode(fs, mode) {
    attributes.links = 2;
    dir_index_init(index_);
}

TmpfsDirectory::~TmpfsDirectory() { dir_index_destroy(index_); }

void TmpfsDirectory::touch() { attributes.modified = attributes.changed = vfs_now(); }

Attributes TmpfsDirectory::stat() {
    Attributes copy = attributes;
    uint64_t count = count_.load(std::memory_order_relaxed);
    copy.size =
        count == kRemoved ? 0 : 40 + 20 * count;  // any measure of fullness will do
    return copy;
}

Result<Inode*> TmpfsDirectory::lookup(std::string_view name) {
    if (name.size() > kMaxName) return Error(ENAMETOOLONG);
    DirEntry* entry = dir_index_find(index_, name);
    if (entry == nullptr) return Error(ENOENT);
    entry->inode->ref();
    return entry->inode;
}

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

bool TmpfsDirectory::close_empty() {
    uint64_t none = 0;
    return count_.compare_exchange_strong(none, kRemoved);
}

void TmpfsDirectory::adopt(TmpfsDirectory& child, DirEntry& entry) {
    SpinGuard guard(vfs_tree_lock);
    child.parent_ = this;
    child.self_ = &entry;
}

Result<void> TmpfsDirectory::add_entry(std::string_view name, Inode& inode) {
    DirEntry* entry = TRY(insert(name, inode));
    if (inode.is_directory()) {
        adopt(static_cast<TmpfsDirectory&>(inode), *entry);
        attributes.links++;
    }
    touch();
    return {};
}

Result<Inode*> TmpfsDirectory::create(std::string_view name, uint32_t mode,
                                      uint64_t device, std::string_view target) {
    InodeRef inode(TRY(fs_.make_inode(mode, device, target)));
    TRY(add_entry(name, *inode));
    return inode.release();
}

Result<void> TmpfsDirectory::link(std::string_view name, Inode& inode) {
    TRY(add_entry(name, inode));
    add_links(inode, +1);
    return {};
}

// The caller has a reference of the entry's inode, so this is not the last one.
void TmpfsDirectory::drop_entry(DirEntry& entry) {
    dir_index_remove(index_, entry);
    count_.fetch_sub(1);
    free_entry(entry);
}

// What a name's going means for the inode. The entry itself is still there.
Result<void> TmpfsDirectory::lose(Inode& inode) {
    if (!inode.is_directory()) {
        add_links(inode, -1);
        return {};
    }
    auto& child = static_cast<TmpfsDirectory&>(inode);
    if (!child.close_empty()) return Error(ENOTEMPTY);
    {
        SpinGuard guard(vfs_tree_lock);
        child.parent_ = nullptr;
        child.self_ = nullptr;
    }
    child.attributes.links = 0;
    attributes.links--;
    return {};
}

Result<void> TmpfsDirectory::unlink(std::string_view name, Inode& inode) {
    TRY(lose(inode));
    drop_entry(*dir_index_find(index_, name));
    touch();
    return {};
}

// The new name: the entry of what is replaced, or a fresh one.
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
        target.adopt(static_cast<TmpfsDirectory&>(inode), *new_entry);
        attributes.links--;
        target.attributes.links++;
    }
    drop_entry(*old_entry);
    touch();
    target.touch();
    inode.attributes.changed = vfs_now();
    return {};
}

Result<void> TmpfsDirectory::list(uint64_t position, DirectoryVisitor visit,
                                  void* context) {
    constexpr uint8_t kDirectoryType = S_IFDIR >> 12;
    if (position == 0) {
        if (!visit(context, ".", number, kDirectoryType, 1)) return {};
        position = 1;
    }
    if (position == 1) {
        uint64_t up;
        {
            SpinGuard guard(vfs_tree_lock);
            up = parent_ == nullptr ? number : parent_->number;
        }
        if (!visit(context, "..", up, kDirectoryType, 2)) return {};
        position = DirIndex::kFirstPosition;
    }
    while (DirEntry* entry = dir_index_next(index_, position)) {
        position = entry->position + 1;
        if (!visit(context, entry->text(), entry->inode->number,
                   dirent_type(*entry->inode), position))
            break;
    }
    return {};
}

size_t TmpfsDirectory::name_in_parent(char* out, size_t size) {
    if (self_ == nullptr || self_->length > size) return 0;
    memcpy(out, self_->name, self_->length);
    return self_->length;
}
