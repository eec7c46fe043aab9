// Unpacks the initramfs into the root file system: the archive that `make` builds, and
// behind it those that a run adds (its command, its data, EXTRA). A later archive
// overlays an earlier one: a directory that is there keeps its entries and takes the new
// mode, anything else of the same name is replaced.
//
// Contents are copied: cpio aligns to 4 bytes, so the pages of the archive cannot serve
// as pages of files.
#include "kernel/base/log.h"
#include "kernel/fs/cpio.h"
#include "kernel/fs/vfs.h"
#include "kernel/mm/slab.h"

namespace {

// A file with several names: newc writes an entry for each name, with equal device and
// inode numbers, and the data with the last (or the first) only.
struct HardLink {
    uint32_t inode, device_major, device_minor;
    std::string_view name;  // in the archive
    ListLink link;
};

class Unpacker {
  public:
    explicit Unpacker(Inode* root) : context_{root, root, 0} {}
    ~Unpacker() { forget_links(); }
    Result<void> unpack(const CpioEntry& entry);
    void forget_links() {
        while (HardLink* link = links_.pop_front()) destroy(link);
    }

  private:
    Result<void> make_node(const CpioEntry& entry);
    Result<void> make_link(const CpioEntry& entry);
    Result<void> fill(Inode& file, std::span<const uint8_t> data);
    Result<void> remove_old(std::string_view name);

    WalkContext context_;
    List<HardLink, &HardLink::link> links_;
};

Result<void> Unpacker::remove_old(std::string_view name) {
    auto removed = vfs_unlink(context_, name, false);
    if (!removed.ok() && removed.error().number() == EISDIR)
        return vfs_unlink(context_, name, true);
    if (!removed.ok() && removed.error().number() != ENOENT) return removed;
    return {};
}

Result<void> Unpacker::fill(Inode& file, std::span<const uint8_t> data) {
    if (data.empty()) return {};
    File* opened = TRY(file.open(O_WRONLY));
    IoBuffer buffer = IoBuffer::kernel(const_cast<uint8_t*>(data.data()), data.size());
    auto written = opened->write_at(buffer, 0);
    opened->unref();
    if (!written.ok()) return written.error();
    return written.value() == data.size() ? Result<void>() : Error(ENOSPC);
}

Result<void> Unpacker::make_node(const CpioEntry& entry) {
    switch (entry.mode & S_IFMT) {
        case S_IFDIR: {
            auto old = vfs_walk(context_, entry.name, kFollow | kWantDirectory);
            if (old.ok()) {
                old.value()->unref();
                return {};
            }
            TRY(remove_old(entry.name));
            return vfs_make_directory(context_, entry.name, entry.mode);
        }
        case S_IFLNK:
            TRY(remove_old(entry.name));
            return vfs_symlink(context_,
                               {reinterpret_cast<const char*>(entry.data.data()),
                                entry.data.size()},
                               entry.name);
        default:
            TRY(remove_old(entry.name));
            return vfs_make_node(context_, entry.name, entry.mode,
                                 uint64_t{entry.node_major} << 8 | entry.node_minor);
    }
}

// A name of a file that may have others: a link to the first of them, or the first.
Result<void> Unpacker::make_link(const CpioEntry& entry) {
    for (HardLink& first : links_) {
        if (first.inode != entry.inode || first.device_major != entry.device_major ||
            first.device_minor != entry.device_minor)
            continue;
        TRY(remove_old(entry.name));
        return vfs_link(context_, first.name, context_, entry.name, false);
    }
    links_.push_back(TRY(make<HardLink>(entry.inode, entry.device_major,
                                        entry.device_minor, entry.name, ListLink{})));
    return make_node(entry);
}

Result<void> Unpacker::unpack(const CpioEntry& entry) {
    bool directory = (entry.mode & S_IFMT) == S_IFDIR;
    TRY(!directory && entry.links > 1 ? make_link(entry) : make_node(entry));
    InodeRef inode(TRY(vfs_walk(context_, entry.name, directory ? kFollow : kNoFollow)));
    if (inode->type() == S_IFREG) TRY(fill(*inode, entry.data));
    Attributes& attributes = inode->attributes;
    if (inode->type() != S_IFLNK) attributes.mode = inode->type() | (entry.mode & 07777);
    attributes.uid = entry.uid;
    attributes.gid = entry.gid;
    attributes.modified = {entry.modified, 0};
    return {};
}

}  // namespace

Result<void> initramfs_unpack(std::span<const uint8_t> archive, Inode* root) {
    Unpacker unpacker(root);
    CpioReader reader(archive);
    CpioEntry entry;
    for (;;) {
        auto step = reader.next(entry);
        if (!step.ok()) {
            log_error("initramfs: byte %zu of %zu: %s", reader.offset(), archive.size(),
                      reader.problem());
            return step.error();
        }
        if (step.value() == CpioStep::EndOfInput) return {};
        if (step.value() == CpioStep::EndOfArchive) {
            unpacker.forget_links();
            continue;
        }
        auto unpacked = unpacker.unpack(entry);
        if (unpacked.ok()) continue;
        log_error("initramfs: byte %zu: cannot make '%.*s': error %d", entry.offset,
                  static_cast<int>(entry.name.size()), entry.name.data(),
                  unpacked.error().number());
        return unpacked;
    }
}
