// Names: path walk, mounts and the operations that work on paths. Follows POSIX 4.13
// "Pathname Resolution". All functions may sleep; paths are kernel strings.
#pragma once
#include <span>
#include <string_view>

#include "kernel/fs/file.h"
#include "kernel/fs/path.h"

// A page of kernel memory for as long as a scope lasts, taken when first asked for. Paths are
// up to a page long and a kernel stack is four.
class ScratchPage {
  public:
    // Takes over a reference of `frame`.
    explicit ScratchPage(Frame* frame = nullptr) : frame_(frame) {}
    Result<char*> get() {
        if (!frame_) frame_.reset(TRY(frame_alloc()));
        return data();
    }
    char* data() const { return static_cast<char*>(frame_data(frame_.get())); }  // after get()

  private:
    FrameRef frame_;
};

// A path, and where its walk starts. All is borrowed.
struct WalkContext {
    Inode* root;       // of the process (chroot is not supported: the file system's root)
    Inode* directory;  // for relative paths: the working directory or a dirfd
    std::string_view path = {};
    uint32_t umask = 022;
};

enum WalkFlags : uint32_t {
    kFollow = 0,
    kNoFollow = 1,       // a symlink as last component is the result itself
    kWantDirectory = 2,  // ENOTDIR otherwise
};

// A regular file for a walk to make when its last component is not there (O_CREAT).
struct NewFile {
    uint32_t mode;
    bool made = false;
};

// Returns a reference. ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG. With `fresh` a trailing slash
// is EISDIR.
Result<Inode*> vfs_walk(const WalkContext& at, uint32_t flags, NewFile* fresh = nullptr);
Result<File*> vfs_open(const WalkContext& at, uint32_t flags, uint32_t mode);
// Makes an inode of any type (`mode` has it; the umask is applied) at `path`: mkdir, mknod,
// symlink. EEXIST.
Result<void> vfs_make(const WalkContext& at, uint32_t mode, uint64_t device = 0,
                      std::string_view target = {});
Result<void> vfs_link(const WalkContext& from, const WalkContext& to, bool follow);
Result<void> vfs_unlink(const WalkContext& at, bool directory);
// rename(2); `no_replace` is RENAME_NOREPLACE.
Result<void> vfs_rename(const WalkContext& from, const WalkContext& to, bool no_replace);
// Absolute path of a directory, for getcwd(2): returns its length. ENOENT when removed.
Result<size_t> vfs_path_of(Inode* root, Inode* directory, char* out, size_t size);
// Guards which directory is whose parent, and under which name (rank Mount).
extern SpinLock vfs_tree_lock;

// The time of day for time stamps. The task layer gives it before there is a file.
TimeSpec vfs_now();
void vfs_set_clock(TimeSpec (*now)());

// For statfs(2), in pages.
struct SpaceUse {
    uint64_t pages = 0, free_pages = 0;
};

class FileSystem {
  public:
    FileSystem(const char* type_name, uint64_t magic) : type_name(type_name), magic(magic) {}
    virtual SpaceUse space() { return {}; }
    Inode* root() const { return root_; }  // borrowed
    void set_root(Inode* root);            // boot, once
    const char* const type_name;
    const uint64_t magic;      // f_type of statfs(2)
    uint64_t device = 0;       // st_dev, given by vfs_mount
    Inode* covered = nullptr;  // the directory it is mounted on; nullptr: the root

  private:
    Inode* root_ = nullptr;
};
// Mounts `file_system` on the directory at `path`; mounts are for good.
Result<void> vfs_mount(std::string_view path, FileSystem& file_system);
void vfs_set_root(FileSystem& file_system);  // the first mount
Inode* vfs_root();  // borrowed
// Root first: /proc/mounts. Paths are those given to vfs_mount, which keeps them.
struct Mount {
    FileSystem* file_system;
    std::string_view path;
};
std::span<const Mount> vfs_mounts();

// ---- file systems ----
FileSystem& tmpfs_create(const char* type_name);  // empty; boot: may panic
// Unpacks newc cpio archives (several may follow each other, zero-padded) into `root`.
// EINVAL with a log line that says what and where, keeping what came before.
Result<void> initramfs_unpack(std::span<const uint8_t> archive, Inode* root);
FileSystem& devfs_create();
// Adds a node to devfs: `open` makes its File. Boot time.
using DeviceOpen = Result<File*> (*)(Inode& node, uint32_t flags);
void devfs_add(const char* name, uint32_t mode, uint64_t device, DeviceOpen open);
// Opens a device node of any file system by its number. ENXIO: no driver.
Result<File*> device_open(Inode& node, uint32_t flags);
// Its name in /dev; nullptr: no driver.
const char* device_name(const Inode& node);

// pipe(2): two Files with one reference each.
struct PipeEnds {
    File* read_end;
    File* write_end;
};
Result<PipeEnds> pipe_create(uint32_t flags);  // O_NONBLOCK, O_DIRECT ignored
// Opens the FIFO `node`, whose pipe is kept in `pipe` from its first open on. Waits for the
// other side as POSIX open() says. ENXIO, kERESTARTSYS.
Result<File*> fifo_open(Inode& node, InodeRef& pipe, uint32_t flags);
