// /dev: a tmpfs whose device nodes lead to drivers. The table of drivers is by device
// number, so a node made by mknod(2) elsewhere works as well. Here are the devices that
// are only memory (Linux Documentation/admin-guide/devices.txt, major 1); terminals add
// theirs.
#include "kernel/fs/vfs.h"

namespace {

constexpr uint64_t kMemoryMajor = 1 << 8;
constexpr uint32_t kMaxDrivers = 64;

struct Driver {
    uint32_t type;  // S_IFCHR or S_IFBLK
    uint64_t device;
    DeviceOpen open;
    const char* name;
};
Driver drivers[kMaxDrivers];
uint32_t driver_count = 0;  // grows at boot only
FileSystem* devfs = nullptr;

// ---- null, zero, full, random ----

enum MemoryDevice : uint64_t { kNull = 3, kZero = 5, kFull = 7, kRandom = 8, kUrandom = 9 };

class MemoryFile final : public File {
  public:
    MemoryFile(Inode& node, uint32_t flags)
        : File(node, flags), device_(node.attributes.device & 0xff) {}
    Result<size_t> read_at(IoBuffer& buffer, uint64_t) override {
        switch (device_) {
            case kNull: return size_t{0};
            case kZero:
            case kFull: buffer.put_zeros(buffer.remaining()); break;
            default: buffer.put_random();
        }
        return buffer.moved();
    }
    Result<size_t> write_at(IoBuffer& buffer, uint64_t) override {
        if (device_ == kFull && buffer.remaining() > 0) return Error(ENOSPC);
        return buffer.remaining();
    }

  private:
    const uint64_t device_;
};

Result<File*> open_memory(Inode& node, uint32_t flags) {
    return TRY(make<MemoryFile>(node, flags));
}

WalkContext in_devfs(std::string_view name) { return {devfs->root(), devfs->root(), name, 0}; }

void expect(const Result<void>& result, std::string_view name) {
    if (!result.ok())
        panic("cannot make /dev/%.*s: error %d", static_cast<int>(name.size()),
              name.data(), result.error().number());
}

}  // namespace

FileSystem& devfs_create() {
    devfs = &tmpfs_create("devtmpfs");
    devfs_add("null", S_IFCHR | 0666, kMemoryMajor | kNull, open_memory);
    devfs_add("zero", S_IFCHR | 0666, kMemoryMajor | kZero, open_memory);
    devfs_add("full", S_IFCHR | 0666, kMemoryMajor | kFull, open_memory);
    devfs_add("random", S_IFCHR | 0666, kMemoryMajor | kRandom, open_memory);
    devfs_add("urandom", S_IFCHR | 0666, kMemoryMajor | kUrandom, open_memory);
    for (std::string_view name : {"pts", "shm"})  // to mount on
        expect(vfs_make(in_devfs(name), S_IFDIR | 0755), name);
    constexpr std::string_view kLinks[][2] = {{"fd", "/proc/self/fd"},
                                              {"stdin", "/proc/self/fd/0"},
                                              {"stdout", "/proc/self/fd/1"},
                                              {"stderr", "/proc/self/fd/2"}};
    for (const auto& [name, target] : kLinks)
        expect(vfs_make(in_devfs(name), S_IFLNK | 0777, 0, target), name);
    return *devfs;
}

void devfs_add(const char* name, uint32_t mode, uint64_t device, DeviceOpen open) {
    if (driver_count == kMaxDrivers) panic("too many device drivers");
    drivers[driver_count++] = {mode & S_IFMT, device, open, name};
    expect(vfs_make(in_devfs(name), mode, device), name);
}

static const Driver* find_driver(const Inode& node) {
    for (uint32_t i = 0; i < driver_count; i++)
        if (drivers[i].type == node.type() && drivers[i].device == node.attributes.device)
            return &drivers[i];
    return nullptr;
}

Result<File*> device_open(Inode& node, uint32_t flags) {
    const Driver* driver = find_driver(node);
    return driver != nullptr ? driver->open(node, flags) : Error(ENXIO);
}

const char* device_name(const Inode& node) {
    const Driver* driver = find_driver(node);
    return driver != nullptr ? driver->name : nullptr;
}
