// System calls that move data: read, write and their relatives.
//
// Each holds a reference of the File while it runs, so that close(2) in another thread
// does not end a transfer. User memory is reached through IoBuffer only.
#include <algorithm>
#include <optional>
#include <span>

#include "kernel/mm/slab.h"
#include "kernel/syscall/calls.h"

namespace {

constexpr uint64_t kMaxTransfer = 0x7ffff000;  // as Linux: the most one call moves
constexpr int kMaxVectors = 1024;              // IOV_MAX

enum class Direction : uint8_t { Read, Write };

Result<FileRef> open_for(Direction direction, int fd) {
    FileRef file = TRY(current_process().files->get(fd));
    if (direction == Direction::Read ? !file->readable() : !file->writable())
        return Error(EBADF);
    return file;
}

// Writing to a pipe without readers is a signal, too.
Result<size_t> or_sigpipe(Result<size_t> result) {
    if (!result.ok() && result.error().number() == EPIPE) [[unlikely]] {
        SpinGuard guard(current_process().lock);
        signal_thread(*current_thread(), SIGPIPE, {current_process().pid, SI_USER});
    }
    return result;
}

// The caller's memory: one range, or the kernel's copy of an iovec array.
class UserMemory {
  public:
    UserMemory() = default;
    UserMemory(const UserMemory&) = delete;
    UserMemory& operator=(const UserMemory&) = delete;
    ~UserMemory() {
        if (entries_ != short_) kfree(entries_, count_ * sizeof(UserIovec));
    }
    Result<IoBuffer> range(VirtAddr address, uint64_t size) {
        if (!is_user_range(address, size)) return Error(EFAULT);
        return IoBuffer::user(address, std::min(size, kMaxTransfer));
    }
    Result<IoBuffer> vectors(VirtAddr address, int count);

  private:
    UserIovec short_[8];
    UserIovec* entries_ = short_;
    size_t count_ = 0;
};

Result<IoBuffer> UserMemory::vectors(VirtAddr address, int count) {
    if (count < 0 || count > kMaxVectors) return Error(EINVAL);
    count_ = static_cast<size_t>(count);
    if (count_ > std::size(short_)) {
        entries_ = static_cast<UserIovec*>(kmalloc(count_ * sizeof(UserIovec)));
        if (entries_ == nullptr) {
            entries_ = short_;
            return Error(ENOMEM);
        }
    }
    TRY(copy_from_user(entries_, address, count_ * sizeof(UserIovec)));
    uint64_t total = 0;
    for (size_t i = 0; i < count_; i++) {
        const UserIovec& vector = entries_[i];
        if (static_cast<int64_t>(vector.length) < 0) return Error(EINVAL);
        if (!is_user_range(vector.base, vector.length)) return Error(EFAULT);
        total += vector.length;
        if (static_cast<int64_t>(total) < 0) return Error(EINVAL);
    }
    return IoBuffer::user_vectors({entries_, count_}, std::min(total, kMaxTransfer));
}

// The transfers of read and write and their relatives. `memory` gives the buffer once the
// descriptor is known to be good; without `offset` the file's own counts.
template <Direction direction, typename Memory>
Result<size_t> transfer(int fd, Memory memory, std::optional<int64_t> offset = {}) {
    constexpr bool kReads = direction == Direction::Read;
    FileRef file = TRY(open_for(direction, fd));
    UserMemory user;
    IoBuffer buffer = TRY(memory(user));
    if (!offset) return kReads ? file->read(buffer) : or_sigpipe(file->write(buffer));
    if (*offset < 0) return Error(EINVAL);
    if (!file->seekable()) return Error(ESPIPE);
    auto at = static_cast<uint64_t>(*offset);
    return kReads ? file->read_at(buffer, at) : file->write_at(buffer, at);
}

auto range(VirtAddr address, uint64_t size) {
    return [=](UserMemory& user) { return user.range(address, size); };
}
auto vectors(VirtAddr address, int count) {
    return [=](UserMemory& user) { return user.vectors(address, count); };
}

}  // namespace

Result<size_t> sys_read(int fd, VirtAddr to, uint64_t size) {
    return transfer<Direction::Read>(fd, range(to, size));
}
Result<size_t> sys_write(int fd, VirtAddr from, uint64_t size) {
    return transfer<Direction::Write>(fd, range(from, size));
}
Result<size_t> sys_pread64(int fd, VirtAddr to, uint64_t size, int64_t offset) {
    return transfer<Direction::Read>(fd, range(to, size), offset);
}
Result<size_t> sys_pwrite64(int fd, VirtAddr from, uint64_t size, int64_t offset) {
    return transfer<Direction::Write>(fd, range(from, size), offset);
}
Result<size_t> sys_readv(int fd, VirtAddr iovecs, int count) {
    return transfer<Direction::Read>(fd, vectors(iovecs, count));
}
Result<size_t> sys_writev(int fd, VirtAddr iovecs, int count) {
    return transfer<Direction::Write>(fd, vectors(iovecs, count));
}
Result<uint64_t> sys_lseek(int fd, int64_t offset, int whence) {
    FileRef file = TRY(current_process().files->get(fd));
    return file->seek(offset, whence);
}

// ---- sendfile ----

// One page at most, straight from the file's page to the target: one copy instead of the
// two of read and write. `moved` may be short, 0 at the end of the file.
static Result<size_t> send_page(File& out, File& in, uint64_t offset, size_t size) {
    uint64_t end = in.size();
    if (offset >= end) return size_t{0};
    size_t in_page = offset % kPageSize;
    size = std::min({size, kPageSize - in_page, end - offset});
    Frame* frame = TRY(in.page_source()->get_page(offset / kPageSize));
    IoBuffer buffer =
        IoBuffer::kernel(static_cast<char*>(frame_data(frame)) + in_page, size);
    auto written = out.write(buffer);
    frame_unref(frame);
    return written;
}

static Result<size_t> send(File& out, File& in, uint64_t offset, uint64_t size) {
    size_t done = 0;
    while (done < size) {
        auto moved = send_page(out, in, offset + done, size - done);
        if (!moved.ok()) {
            if (done > 0) break;
            return moved;
        }
        if (moved.value() == 0) break;
        done += moved.value();
        if (out.nonblocking()) continue;
        if (sleep_interrupted()) break;
        maybe_yield();
    }
    return done;
}

Result<size_t> sys_sendfile(int out_fd, int in_fd, VirtAddr offset, uint64_t size) {
    FileRef in = TRY(open_for(Direction::Read, in_fd));
    FileRef out = TRY(open_for(Direction::Write, out_fd));
    if (!in->seekable() || in->page_source() == nullptr) return Error(EINVAL);
    if (out->flags & O_APPEND) return Error(EINVAL);
    size = std::min(size, kMaxTransfer);
    uint64_t start;
    if (offset != 0) {
        start = TRY(UserIn<uint64_t>(offset).read());
        if (static_cast<int64_t>(start) < 0) return Error(EINVAL);
    } else {
        MutexGuard guard(in->offset_mutex);
        start = in->offset;
    }
    size_t moved = TRY(or_sigpipe(send(*out, *in, start, size)));
    if (offset != 0) {
        TRY(UserOut<uint64_t>(offset).write(start + moved));
    } else {
        MutexGuard guard(in->offset_mutex);
        in->offset = start + moved;
    }
    return moved;
}
