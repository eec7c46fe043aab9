// newc cpio: see cpio.h. Each length from the archive is compared with what is left
// before it is added to anything, so no sum can wrap.
#include "kernel/fs/cpio.h"

#include <algorithm>
#include <cstring>

namespace {

constexpr size_t kMagicSize = 6;
constexpr size_t kFieldSize = 8;
constexpr size_t kFieldCount = 13;
constexpr size_t kHeaderSize = kMagicSize + kFieldCount * kFieldSize;
constexpr std::string_view kTrailer = "TRAILER!!!";
// Eight hexadecimal digits of either case.
bool parse_hex(const uint8_t* text, uint32_t& out) {
    out = 0;
    for (size_t i = 0; i < kFieldSize; i++) {
        uint8_t c = text[i], digit;
        if (c >= '0' && c <= '9') {
            digit = c - '0';
        } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
            digit = (c | 0x20) - 'a' + 10;
        } else {
            return false;
        }
        out = out << 4 | digit;
    }
    return true;
}

constexpr size_t padding(size_t size) { return -size & 3; }

}  // namespace

Result<CpioStep> CpioReader::fail(const char* problem) {
    problem_ = problem;
    return Error(EINVAL);
}

Result<CpioStep> CpioReader::next(CpioEntry& entry) {
    while (position_ < input_.size() && input_[position_] == 0) position_++;
    offset_ = position_;
    if (position_ == input_.size()) {
        if (in_archive_) return fail("the trailer is missing");
        return CpioStep::EndOfInput;
    }
    size_t left = input_.size() - position_;
    const uint8_t* header = input_.data() + position_;
    if (left < kHeaderSize) return fail("the header is cut off");
    // 070702 has the same layout, with a checksum that only some writers fill.
    if (memcmp(header, "07070", 5) != 0 || (header[5] != '1' && header[5] != '2'))
        return fail("this is no newc header");
    uint32_t data_size, name_size, checksum;
    uint32_t* const fields[kFieldCount] = {
        &entry.inode,        &entry.mode,         &entry.uid,        &entry.gid,
        &entry.links,        &entry.modified,     &data_size,        &entry.device_major,
        &entry.device_minor, &entry.node_major,   &entry.node_minor, &name_size,
        &checksum};
    for (size_t i = 0; i < kFieldCount; i++)
        if (!parse_hex(header + kMagicSize + i * kFieldSize, *fields[i]))
            return fail("a header field is no hexadecimal number");
    left -= kHeaderSize;
    if (name_size == 0 || name_size > left) return fail("the name is cut off");
    const char* name = reinterpret_cast<const char*>(header + kHeaderSize);
    if (memchr(name, 0, name_size) != name + name_size - 1)
        return fail("the name does not end where it should");
    left -= name_size;
    size_t name_padding = padding(kHeaderSize + name_size);
    entry.name = {name, name_size - 1};
    if (entry.name == kTrailer) {
        position_ += kHeaderSize + name_size;
        in_archive_ = false;
        return CpioStep::EndOfArchive;
    }
    if (entry.name.empty()) return fail("the name is empty");
    if (name_padding > left || data_size > left - name_padding)
        return fail("the data is cut off");
    position_ += kHeaderSize + name_size + name_padding;
    entry.data = input_.subspan(position_, data_size);
    position_ += data_size;
    in_archive_ = true;
    // Padding may be missing behind the last byte of the input.
    position_ += std::min(padding(data_size), input_.size() - position_);
    entry.offset = offset_;
    return CpioStep::Entry;
}
