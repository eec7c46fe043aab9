// Unpacks the initramfs into the root file system: the archive that `make` builds, and
// behind it those that a run adds (its command, its data, EXTRA). A later archive
// overlays an earlier one: a directory that is there keeps its entries and takes the new
// mode, anything else of the same name is replaced.
//
// Contents are copied: cpio aligns to 4 bytes, so the pages of the archive cannot serve
// as pages of files. Hard links, which nobody who writes our archives makes, become files
// of their own.
#include "kernel/base/log.h"
#include "kernel/fs/cpio.h"
#include "kernel/fs/vfs.h"

namespace {

// Makes what the entry names, without its contents.
Result<void> make_inode(const WalkContext& context, const CpioEntry& entry) {
    bool directory = (entry.mode & S_IFMT) == S_IFDIR;
    auto old = vfs_walk(context, directory ? kFollow : kNoFollow);
    if (old.ok()) {
        InodeRef inode(old.value());
        if (directory && inode->is_directory()) return {};
        TRY(vfs_unlink(context, inode->is_directory()));
    }
    std::string_view text(reinterpret_cast<const char*>(entry.data.data()), entry.data.size());
    return vfs_make(context, entry.mode, uint64_t{entry.node_major} << 8 | entry.node_minor,
                    text);
}

Result<void> fill(Inode& file, std::span<const uint8_t> data) {
    if (data.empty()) return {};
    FileRef opened(TRY(file.open(O_WRONLY)));
    IoBuffer buffer = IoBuffer::kernel(const_cast<uint8_t*>(data.data()), data.size());
    size_t written = TRY(opened->write_at(buffer, 0));
    return written == data.size() ? Result<void>() : Error(ENOSPC);
}

Result<void> unpack(const WalkContext& context, const CpioEntry& entry) {
    TRY(make_inode(context, entry));
    bool directory = (entry.mode & S_IFMT) == S_IFDIR;
    InodeRef inode(TRY(vfs_walk(context, directory ? kFollow : kNoFollow)));
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
    CpioReader reader(archive);
    CpioEntry entry;
    for (;;) {
        auto step = reader.next(entry);
        if (!step.ok()) {
            log_error("initramfs: byte %zu of %zu: %s", reader.offset(), archive.size(),
                      reader.problem());
            return step.error();
        }
        if (!step.value()) return {};
        auto unpacked = unpack({root, root, entry.name, 0}, entry);
        if (unpacked.ok()) continue;
        log_error("initramfs: byte %zu: cannot make '%.*s': error %d", reader.offset(),
                  static_cast<int>(entry.name.size()), entry.name.data(),
                  unpacked.error().number());
        return unpacked;
    }
}
