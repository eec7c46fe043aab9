// Reader of newc cpio archives, the format of an initramfs (Linux
// Documentation/driver-api/early-userspace/buffer-format.rst): a header of 110 ASCII
// characters, the name, the data, each padded to 4 bytes; "TRAILER!!!" ends an archive;
// zeros and further archives may follow.
//
// Reads only inside the span, whatever the bytes say: tested and fuzzed on the host
// (grader/fuzz/cpio_fuzz.cc).
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

#include "kernel/base/types.h"

struct CpioEntry {
    std::string_view name;          // without the final NUL; not empty
    std::span<const uint8_t> data;  // a symlink's is its target
    uint32_t mode, uid, gid, modified;
    uint32_t node_major, node_minor;  // of a device node
};

class CpioReader {
  public:
    explicit CpioReader(std::span<const uint8_t> input) : input_(input) {}
    // Moves on to the next entry, past the ends of archives; false when nothing but zeros is
    // left. EINVAL: malformed, see problem() and offset(); do not go on then.
    Result<bool> next(CpioEntry& entry);
    const char* problem() const { return problem_; }
    size_t offset() const { return offset_; }  // of the header that next() looked at last

  private:
    Result<bool> fail(const char* problem);

    std::span<const uint8_t> input_;
    size_t position_ = 0, offset_ = 0;
    bool in_archive_ = false;  // an entry was seen and no trailer after it
    const char* problem_ = "";
};
