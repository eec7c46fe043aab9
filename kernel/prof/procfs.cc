// procfs: the tree of /proc as inodes that live only while somebody looks at them.
//
//   /proc            Root       the files of proc_system_files(), self, a directory a process
//   /proc/<pid>      Directory  the files of proc_process_files(), the links exe, cwd, fd
//   /proc/<pid>/fd   Fds        a link a descriptor
//
// Nothing is cached: a lookup makes a new inode, which names its process by number, so it
// never keeps a process alive; one that has ended gives ENOENT or ESRCH.
//
// Locks: our directories have no state for their Mutex to guard, but the VFS holds it
// around lookup and list, and process_tree ranks before it. WithoutMutex gives it up
// meanwhile. Reading a file needs no lock at all: its text was made by open.
#include "kernel/prof/procfs.h"

#include <cstring>
#include <optional>

#include "kernel/base/command_line.h"
#include "kernel/prof/proc_files.h"

namespace {

constexpr uint32_t kFileMode = S_IFREG | 0444, kDirectoryMode = S_IFDIR | 0555;
constexpr uint32_t kStoreMode = S_IFREG | 0644;
constexpr uint32_t kLinkMode = S_IFLNK | 0777;
constexpr uint64_t kMagic = 0x9fa0;  // PROC_SUPER_MAGIC, statfs(2)

// Inode numbers: system files from 2, a process's from pid << 16.
constexpr uint64_t kRootNumber = 1, kFirstSystemNumber = 2, kSelfNumber = 0xffff;
constexpr uint64_t kFdNumbers = 0x8000;
constexpr uint64_t process_number(int32_t pid, uint64_t n) {
    return (static_cast<uint64_t>(pid) << 16) | n;
}
// The links of a process directory; its files' numbers follow.
constexpr uint64_t kExe = 1, kCwd = 2, kRootLink = 3, kFdDirectory = 4, kFirstFile = 8;
constexpr const char* kLinkNames[] = {"exe", "cwd", "root"};  // kExe, kCwd, kRootLink

constexpr uint8_t directory_type(uint32_t mode) {  // d_type of getdents64(2)
    return static_cast<uint8_t>((mode & S_IFMT) >> 12);
}

class ProcFileSystem final : public FileSystem {
  public:
    Inode* root() override { return root_; }
    const char* type_name() const override { return "proc"; }
    uint64_t magic() const override { return kMagic; }
    void set_root(Inode* root) { root_ = root; }

  private:
    Inode* root_ = nullptr;
};
ProcFileSystem file_system;

// Gives up a directory's Mutex for a scope, when the caller holds it.
class WithoutMutex {
  public:
    explicit WithoutMutex(Mutex& mutex) NO_THREAD_SAFETY_ANALYSIS : mutex_(mutex),
                                                                    held_(mutex.held()) {
        if (held_) mutex_.unlock();
    }
    ~WithoutMutex() NO_THREAD_SAFETY_ANALYSIS {
        if (held_) mutex_.lock();
    }
    WithoutMutex(const WithoutMutex&) = delete;
    WithoutMutex& operator=(const WithoutMutex&) = delete;

  private:
    Mutex& mutex_;
    bool held_;
};

class ProcInode : public Inode {
  public:
    ProcInode(uint32_t mode, uint64_t number_, const ProcessView* owner = nullptr)
        : Inode(mode) {
        number = number_;
        file_system = &::file_system;
        attributes.modified = attributes.accessed = attributes.changed = vfs_now();
        if (owner == nullptr) return;
        attributes.uid = owner->uid;
        attributes.gid = owner->gid;
    }
};

// Lists names with positions that count up from 0, "." and ".." first.
class Lister {
  public:
    Lister(uint64_t from, DirectoryVisitor visit, void* context)
        : from_(from), visit_(visit), context_(context) {}
    // An entry at the next position. False: the listing is over.
    bool add(std::string_view name, uint64_t number, uint32_t mode) {
        return add_at(next_, name, number, mode);
    }
    // An entry at `position`, not before those added so far.
    bool add_at(uint64_t position, std::string_view name, uint64_t number, uint32_t mode) {
        next_ = position + 1;
        if (stopped_ || position < from_) return !stopped_;
        stopped_ = !visit_(context_, name, number, directory_type(mode), next_);
        return !stopped_;
    }
    uint64_t from() const { return from_; }
    uint64_t next() const { return next_; }

  private:
    uint64_t from_, next_ = 0;
    bool stopped_ = false;
    DirectoryVisitor visit_;
    void* context_;
};

// ---- Files ----

class ProcFile final : public File {
  public:
    ProcFile(Inode* inode, uint32_t flags) : File(inode, flags) {}
    bool seekable() const override { return true; }
    Result<size_t> read_at(IoBuffer& buffer, uint64_t offset) override {
        std::string_view all = text.text();
        if (offset >= all.size()) return 0;
        size_t moved = buffer.put(all.data() + offset, all.size() - offset);
        if (moved == 0 && buffer.faulted()) return Error(EFAULT);
        return moved;
    }

    // Each write is one command, whatever the offset.
    Result<size_t> write_at(IoBuffer& buffer, uint64_t) override {
        char command[64];
        size_t size = buffer.remaining();
        if (store == nullptr || size > sizeof command) return Error(EINVAL);
        if (buffer.take(command, size) != size) return Error(EFAULT);
        TRY(store({command, size}));
        return size;
    }

    ProcText text;
    Result<void> (*store)(std::string_view) = nullptr;

  private:
    void destroy_self() override { destroy(this); }
};

// Opens `node` with what `write` says into the text.
template <typename Write>
Result<File*> open_snapshot(Inode& node, uint32_t flags, Write write,
                            Result<void> (*store)(std::string_view) = nullptr) {
    ProcFile* file = TRY(make<ProcFile>(&node, flags));
    node.ref();
    file->store = store;
    write(file->text);
    if (file->text.complete()) return file;
    file->unref();
    return Error(ENOMEM);
}

class SystemFile final : public ProcInode {
  public:
    explicit SystemFile(size_t index)
        : ProcInode(mode_of(proc_system_files()[index]), kFirstSystemNumber + index),
          index_(index) {}
    Result<File*> open(uint32_t flags) override {
        const ProcSystemFile& entry = proc_system_files()[index_];
        if ((flags & O_ACCMODE) != O_RDONLY && entry.store == nullptr) return Error(EACCES);
        return open_snapshot(*this, flags, entry.write, entry.store);
    }
    // What `echo 1 > file` does first; there is nothing to cut off.
    Result<void> truncate(uint64_t) override {
        if (proc_system_files()[index_].store == nullptr) return Error(EACCES);
        return {};
    }

  private:
    static uint32_t mode_of(const ProcSystemFile& entry) {
        return entry.store != nullptr ? kStoreMode : kFileMode;
    }
    void destroy_self() override { destroy(this); }
    size_t index_;
};

class ProcessFile final : public ProcInode {
  public:
    ProcessFile(const ProcessView& view, size_t index)
        : ProcInode(kFileMode, process_number(view.pid, kFirstFile + index), &view),
          pid_(view.pid), index_(index) {}
    Result<File*> open(uint32_t flags) override {
        if ((flags & O_ACCMODE) != O_RDONLY) return Error(EACCES);
        ProcessView view = TRY(ProcessView::of(pid_));
        return open_snapshot(*this, flags, [&](ProcText& out) {
            proc_process_files()[index_].write(out, view);
        });
    }

  private:
    void destroy_self() override { destroy(this); }
    int32_t pid_;
    size_t index_;
};

// ---- Links ----

class SelfLink final : public ProcInode {
  public:
    SelfLink() : ProcInode(kLinkMode, kSelfNumber) {}
    Result<size_t> read_link(char* out, size_t size) override {
        char text[16];
        size_t length = format_to(text, sizeof text, "%d", current_process().pid);
        if (length > size) length = size;
        memcpy(out, text, length);
        return length;
    }

  private:
    void destroy_self() override { destroy(this); }
};

Inode* with_reference(Inode* inode) {
    if (inode != nullptr) inode->ref();
    return inode;
}

class ProcessLink final : public ProcInode {
  public:
    ProcessLink(const ProcessView& view, uint64_t which)
        : ProcInode(kLinkMode, process_number(view.pid, which), &view), pid_(view.pid),
          which_(which) {}
    Result<size_t> read_link(char* out, size_t size) override {
        ProcessView view = TRY(ProcessView::of(pid_));
        if (which_ == kRootLink) return copy("/", out, size);
        if (which_ == kExe) {
            if (view.executable == nullptr) return Error(ENOENT);
            return copy(view.path, out, size);
        }
        if (view.directory == nullptr) return Error(ENOENT);
        return proc_directory_path(*view.directory, out, size);
    }
    Result<Inode*> link_target() override {
        ProcessView view = TRY(ProcessView::of(pid_));
        Inode* target = which_ == kExe   ? view.executable
                        : which_ == kCwd ? view.directory
                                         : vfs_root();
        if (target == nullptr) return Error(ENOENT);
        return with_reference(target);
    }

  private:
    static size_t copy(std::string_view text, char* out, size_t size) {
        size_t length = text.size() < size ? text.size() : size;
        memcpy(out, text.data(), length);
        return length;
    }
    void destroy_self() override { destroy(this); }
    int32_t pid_;
    uint64_t which_;
};

class FdLink final : public ProcInode {
  public:
    FdLink(const ProcessView& view, int fd)
        : ProcInode(kLinkMode,
                    process_number(view.pid, kFdNumbers + static_cast<uint64_t>(fd)), &view),
          pid_(view.pid), fd_(fd) {}
    Result<size_t> read_link(char* out, size_t size) override {
        FileRef file = TRY(get());
        return proc_describe_file(*file, out, size);
    }
    Result<Inode*> link_target() override {
        FileRef file = TRY(get());
        return with_reference(file->inode);
    }

  private:
    Result<FileRef> get() {
        ProcessView view = TRY(ProcessView::of(pid_));
        if (view.files == nullptr) return Error(ENOENT);
        return view.files->get(fd_);
    }
    void destroy_self() override { destroy(this); }
    int32_t pid_;
    int fd_;
};

// ---- Directories ----

class FdDirectory final : public ProcInode {
  public:
    FdDirectory(const ProcessView& view, Inode* parent)
        : ProcInode(S_IFDIR | 0500, process_number(view.pid, kFdDirectory), &view),
          pid_(view.pid), parent_(with_reference(parent)) {}
    Inode* parent() override { return parent_.get(); }
    size_t name_in_parent(char* out, size_t size) override {
        if (size < 2) return 0;
        memcpy(out, "fd", 2);
        return 2;
    }
    Result<Inode*> lookup(std::string_view name) override {
        auto fd = parse_number(name, 0, FdTable::kMaxDescriptors);
        if (!fd) return Error(ENOENT);
        WithoutMutex unlocked(mutex);
        ProcessView view = TRY(ProcessView::of(pid_));
        int wanted = static_cast<int>(*fd);
        if (view.files == nullptr || view.files->next(wanted) != wanted)
            return Error(ENOENT);
        return TRY(make<FdLink>(view, wanted));
    }
    Result<void> list(uint64_t from, DirectoryVisitor visit, void* context) override {
        WithoutMutex unlocked(mutex);
        Lister lister(from, visit, context);
        if (!lister.add(".", number, kDirectoryMode)) return {};
        if (!lister.add("..", parent_->number, kDirectoryMode)) return {};
        ProcessView view = TRY(ProcessView::of(pid_));
        if (view.files == nullptr) return {};
        int fd = from > 2 ? static_cast<int>(from - 2) : 0;
        while ((fd = view.files->next(fd)) >= 0) {
            char name[16];
            size_t length = format_to(name, sizeof name, "%d", fd);
            auto n = static_cast<uint64_t>(fd);
            uint64_t inode = process_number(pid_, kFdNumbers + n);
            if (!lister.add_at(2 + n, {name, length}, inode, kLinkMode)) break;
            ++fd;
        }
        return {};
    }

  private:
    void destroy_self() override { destroy(this); }
    int32_t pid_;
    InodeRef parent_;
};

class ProcessDirectory final : public ProcInode {
  public:
    explicit ProcessDirectory(const ProcessView& view)
        : ProcInode(kDirectoryMode, process_number(view.pid, 0), &view), pid_(view.pid) {}
    Inode* parent() override { return file_system->root(); }
    size_t name_in_parent(char* out, size_t size) override {
        size_t length = format_to(out, size, "%d", pid_);
        return length < size ? length : 0;
    }
    Result<Inode*> lookup(std::string_view name) override {
        WithoutMutex unlocked(mutex);
        ProcessView view = TRY(ProcessView::of(pid_));
        for (uint64_t link = kExe; link <= kRootLink; ++link) {
            if (name == kLinkNames[link - kExe]) return TRY(make<ProcessLink>(view, link));
        }
        if (name == "fd") return TRY(make<FdDirectory>(view, this));
        auto files = proc_process_files();
        for (size_t i = 0; i < files.size(); ++i) {
            if (name == files[i].name) return TRY(make<ProcessFile>(view, i));
        }
        return Error(ENOENT);
    }
    Result<void> list(uint64_t from, DirectoryVisitor visit, void* context) override {
        WithoutMutex unlocked(mutex);
        Lister lister(from, visit, context);
        lister.add(".", number, kDirectoryMode);
        lister.add("..", kRootNumber, kDirectoryMode);
        for (uint64_t link = kExe; link <= kRootLink; ++link) {
            lister.add(kLinkNames[link - kExe], process_number(pid_, link), kLinkMode);
        }
        lister.add("fd", process_number(pid_, kFdDirectory), kDirectoryMode);
        uint64_t n = kFirstFile;
        for (const ProcProcessFile& file : proc_process_files()) {
            lister.add(file.name, process_number(pid_, n++), kFileMode);
        }
        return {};
    }

  private:
    void destroy_self() override { destroy(this); }
    int32_t pid_;
};

class RootDirectory final : public ProcInode {
  public:
    RootDirectory() : ProcInode(kDirectoryMode, kRootNumber) {}
    Inode* parent() override { return this; }
    Result<Inode*> lookup(std::string_view name) override {
        if (name == "self") return TRY(make<SelfLink>());
        auto files = proc_system_files();
        for (size_t i = 0; i < files.size(); ++i) {
            if (name == files[i].name) return TRY(make<SystemFile>(i));
        }
        auto pid = parse_number(name, 1, INT32_MAX);
        if (!pid) return Error(ENOENT);
        WithoutMutex unlocked(mutex);
        auto view = ProcessView::of(static_cast<int32_t>(*pid));
        if (!view.ok()) return Error(ENOENT);
        return TRY(make<ProcessDirectory>(view.value()));
    }
    Result<void> list(uint64_t from, DirectoryVisitor visit, void* context) override {
        WithoutMutex unlocked(mutex);
        Lister lister(from, visit, context);
        lister.add(".", number, kDirectoryMode);
        lister.add("..", number, kDirectoryMode);
        lister.add("self", kSelfNumber, kLinkMode);
        size_t n = kFirstSystemNumber;
        for (const ProcSystemFile& file : proc_system_files()) {
            lister.add(file.name, n++, kFileMode);
        }
        // Process `pid` stands at position `base` + pid.
        const uint64_t base = lister.next();
        int32_t pid = from > base ? static_cast<int32_t>(from - base - 1) : 0;
        while ((pid = proc_next_process(pid)) != 0) {
            char name[16];
            size_t length = format_to(name, sizeof name, "%d", pid);
            if (!lister.add_at(base + static_cast<uint64_t>(pid), {name, length},
                               process_number(pid, 0), kDirectoryMode)) {
                break;
            }
        }
        return {};
    }

  private:
    void destroy_self() override {}
};

}  // namespace

bool ProcText::reserve(size_t more) {
    if (failed_) return false;
    if (more <= capacity_ - size_) return true;
    size_t wanted = capacity_ == 0 ? 1024 : capacity_ * 2;
    while (wanted - size_ < more) wanted *= 2;
    char* memory = static_cast<char*>(kmalloc(wanted));
    if (memory == nullptr) {
        failed_ = true;
        return false;
    }
    if (size_ > 0) memcpy(memory, memory_, size_);
    kfree(memory_, capacity_);
    memory_ = memory;
    capacity_ = wanted;
    return true;
}

FileSystem& procfs_create() {
    static RootDirectory root;
    file_system.set_root(&root);
    proc_load_start();
    return file_system;
}
