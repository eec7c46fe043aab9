// procfs: the tree of /proc as inodes that live only while somebody looks at them.
//
//   /proc            proc_system_entries(), among them the link self; a directory a process
//   /proc/<pid>      proc_process_entries(), among them the links exe and cwd, and fd
//   /proc/<pid>/fd   a link a descriptor
//
// Nothing is cached: a lookup makes a new inode, which names its process by number, so it
// never keeps a process alive; one that has ended gives ENOENT.
//
// An inode's number says which it is: (pid << 16) | n, with pid 0 for /proc itself. n is 1
// for the directory, then one for each entry of its table; a descriptor's is kFds + fd.
//
// Locks: our directories have no state for their Mutex to guard, but the VFS holds it
// around lookup and list, and process_tree ranks before it. WithoutMutex gives it up
// meanwhile. Reading a file needs no lock at all: its text was made by open.
#include <algorithm>

#include "kernel/base/command_line.h"
#include "kernel/prof/proc_files.h"

namespace {

constexpr uint64_t kDirectory = 1, kFirstEntry = 2, kFds = 0x8000;
constexpr uint64_t number_of(int32_t pid, uint64_t n) {
    return static_cast<uint64_t>(pid) << 16 | n;
}

FileSystem file_system("proc", 0x9fa0);  // PROC_SUPER_MAGIC, statfs(2)

constexpr ProcEntry kDirectoryEntry = {"", kProcDirectory};  // /proc, /proc/<pid>
constexpr ProcEntry kDescriptorEntry = {"", kProcLink};

// Gives up a directory's Mutex, which the caller holds, for a scope.
class WithoutMutex {
  public:
    explicit WithoutMutex(Mutex& mutex) NO_THREAD_SAFETY_ANALYSIS : mutex_(mutex) {
        mutex_.unlock();
    }
    ~WithoutMutex() NO_THREAD_SAFETY_ANALYSIS { mutex_.lock(); }
    WithoutMutex(const WithoutMutex&) = delete;

  private:
    Mutex& mutex_;
};

// ---- Open files ----

class ProcFile final : public File {
  public:
    ProcFile(Inode& node, uint32_t flags, const ProcEntry& entry)
        : File(node, flags), entry_(entry) {}
    bool seekable() const override { return true; }
    Result<size_t> read_at(IoBuffer& buffer, uint64_t offset) override {
        std::string_view all = text.text();
        if (offset >= all.size()) return 0;
        buffer.put(all.data() + offset, all.size() - offset);
        return buffer.moved();
    }
    // Each write is one command, whatever the offset.
    Result<size_t> write_at(IoBuffer& buffer, uint64_t) override {
        char command[64];
        size_t size = buffer.remaining();
        if (entry_.store == nullptr || size > sizeof command) return Error(EINVAL);
        if (buffer.take(command, size) != size) return Error(EFAULT);
        std::string_view text(command, size);
        TRY(entry_.store(text.substr(0, size - text.ends_with('\n'))));
        return size;
    }

    ProcText text;

  private:
    const ProcEntry& entry_;
};

// ---- Inodes ----

class ProcInode final : public Inode {
  public:
    // `parent`, the directory it is in; of /proc itself: nullptr.
    ProcInode(const ProcEntry& entry, uint64_t number_, Inode* parent)
        : Inode(entry.mode), entry_(entry), parent_(parent) {
        number = number_;
        file_system = &::file_system;
        attributes.modified = attributes.accessed = attributes.changed = vfs_now();
        if (parent != nullptr) parent->ref();
    }
    Result<File*> open(uint32_t flags) override;
    // What `echo 1 > file` does first; there is nothing to cut off.
    Result<void> truncate(uint64_t) override {
        return entry_.store != nullptr ? Result<void>() : Error(EACCES);
    }
    // ---- links: self, exe, cwd, and those of fd ----
    Result<size_t> read_link(char* out, size_t size) override;
    Result<Inode*> link_target() override;
    // ---- directories ----
    Inode* parent() override { return parent_ ? parent_.get() : this; }
    size_t name_in_parent(char* out, size_t size) override {
        if (n() != kDirectory) return format_to(out, size, "fd");
        return format_to(out, size, "%d", pid());
    }
    Result<Inode*> lookup(std::string_view name) override;
    Result<void> list(uint64_t from, DirectoryListing& listing) override;

  private:
    int32_t pid() const { return static_cast<int32_t>(number >> 16); }
    uint64_t n() const { return number & 0xffff; }
    Result<InodeRef> target_in(ProcessView& view);
    std::span<const ProcEntry> entries() const {
        if (n() != kDirectory) return {};
        return pid() == 0 ? proc_system_entries() : proc_process_entries();
    }
    // The first process or descriptor (what the directory has) from `from` on; -1: none.
    static int next_process(int from);
    Result<int> next_member(int from);

    const ProcEntry& entry_;
    InodeRef parent_;
};

Result<File*> ProcInode::open(uint32_t flags) {
    if (is_directory()) return Inode::open(flags);
    if ((flags & O_ACCMODE) != O_RDONLY && entry_.store == nullptr) return Error(EACCES);
    ProcessView view;
    TRY(view.look(pid()));
    ProcFile* file = TRY(make<ProcFile>(*this, flags, entry_));
    // Looking may take things out (profile): not for somebody who only writes.
    if ((flags & O_ACCMODE) != O_WRONLY) entry_.write(file->text, view);
    if (file->text.complete()) return file;
    file->unref();
    return Error(ENOMEM);
}

Result<size_t> ProcInode::read_link(char* out, size_t size) {
    std::string_view name = entry_.name;
    if (name == "self") return format_to(out, size, "%d", current_process().pid);
    ProcessView view;
    TRY(view.look(pid()));
    if (name == "exe") return format_to(out, size, "%s", view.path);
    InodeRef target = TRY(target_in(view));
    if (target->is_directory()) {
        auto length = vfs_path_of(vfs_root(), target.get(), out, size);
        return length.ok() ? length.value() : format_to(out, size, "(deleted)");
    }
    if (const char* device = device_name(*target))
        return format_to(out, size, "/dev/%s", device);
    if (target->type() == S_IFCHR)
        return format_to(out, size, "/dev/pts/%lu", target->attributes.device & 0xff);
    const char* kind = target->type() == S_IFIFO ? "pipe" : "file";
    return format_to(out, size, "%s:[%lu]", kind, target->number);
}

Result<Inode*> ProcInode::link_target() {
    if (entry_.name == std::string_view("self")) return nullptr;
    ProcessView view;
    TRY(view.look(pid()));
    return TRY(target_in(view)).release();
}

Result<InodeRef> ProcInode::target_in(ProcessView& view) {
    if (n() < kFds) {
        bool exe = entry_.name == std::string_view("exe");
        InodeRef target = std::move(exe ? view.executable : view.directory);
        if (!target) return Error(ENOENT);
        return target;
    }
    if (!view.files) return Error(ENOENT);
    FileRef file = TRY(view.files->get(static_cast<int>(n() - kFds)));
    file->inode->ref();
    return InodeRef(file->inode);
}

int ProcInode::next_process(int from) {
    RcuReader reader;
    for (Process& process : all_processes)
        if (process.pid >= from) return process.pid;
    return -1;
}

Result<int> ProcInode::next_member(int from) {
    if (pid() == 0) return next_process(from);
    if (n() == kDirectory) return -1;
    ProcessView view;
    TRY(view.look(pid()));
    return view.files ? view.files->next(from) : -1;
}

Result<Inode*> ProcInode::lookup(std::string_view name) {
    WithoutMutex unlocked(mutex);
    auto child = [&](const ProcEntry& entry, uint64_t its_number) -> Result<Inode*> {
        return TRY(make<ProcInode>(entry, its_number, this));
    };
    if (auto member = parse_number(name, 0, INT32_MAX)) {
        int wanted = static_cast<int>(*member);
        if (TRY(next_member(wanted)) != wanted) return Error(ENOENT);
        if (pid() != 0) return child(kDescriptorEntry, number_of(pid(), kFds + *member));
        return child(kDirectoryEntry, number_of(wanted, kDirectory));
    }
    uint64_t its_number = number_of(pid(), kFirstEntry);
    for (const ProcEntry& entry : entries()) {
        if (name == entry.name) return child(entry, its_number);
        its_number++;
    }
    return Error(ENOENT);
}

// Positions: ".", "..", the entries, then member m at base + m.
Result<void> ProcInode::list(uint64_t from, DirectoryListing& listing) {
    WithoutMutex unlocked(mutex);
    const uint64_t base = 2 + entries().size();
    for (uint64_t i = from; i < base; i++) {
        const ProcEntry& entry = entries()[i - 2];
        uint64_t n = number_of(pid(), kFirstEntry + i - 2);
        if (!listing.add(entry.name, n, entry.mode, i + 1)) return {};
    }
    // A position that lseek(2) chose may be any.
    int member = static_cast<int>(std::min(std::max(from, base) - base, uint64_t{INT32_MAX}));
    while ((member = TRY(next_member(member))) >= 0) {
        char name[16];
        size_t length = format_to(name, sizeof name, "%d", member);
        auto m = static_cast<uint64_t>(member);
        uint64_t n = pid() == 0 ? number_of(member, kDirectory) : number_of(pid(), kFds + m);
        uint32_t mode = pid() == 0 ? kProcDirectory : kProcLink;
        if (!listing.add({name, length}, n, mode, base + m + 1)) break;
        member++;
    }
    return {};
}

}  // namespace

void ProcText::write(std::string_view text) {
    failed_ = failed_ || !buffer_.append(text).ok();
}

FileSystem& procfs_create() {
    static ProcInode root(kDirectoryEntry, number_of(0, kDirectory), nullptr);
    file_system.set_root(&root);
    proc_load_start();
    return file_system;
}
