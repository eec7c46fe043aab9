// newc cpio: see cpio.h. Each length from the archive is compared with what is left
// before it is added to anything, so no sum can wrap.
#include "kernel/fs/cpio.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace {

constexpr size_t kMagicSize = 6;
constexpr size_t kFieldSize = 8;
constexpr size_t kFieldCount = 13;
constexpr size_t kHeaderSize = kMagicSize + kFieldCount * kFieldSize;
constexpr std::string_view kTrailer = "TRAILER!!!";
constexpr size_t padding(size_t size) { return -size & 3; }

}  // namespace

Result<bool> CpioReader::fail(const char* problem) {
    problem_ = problem;
    return Error(EINVAL);
}

Result<bool> CpioReader::next(CpioEntry& entry) {
    for (;;) {
        while (position_ < input_.size() && input_[position_] == 0) position_++;
        offset_ = position_;
        if (position_ == input_.size())
            return in_archive_ ? fail("the trailer is missing") : Result<bool>(false);
        size_t left = input_.size() - position_;
        const char* header = reinterpret_cast<const char*>(input_.data()) + position_;
        if (left < kHeaderSize) return fail("the header is cut off");
        // 070702 has the same layout, with a checksum that only some writers fill.
        if (memcmp(header, "07070", 5) != 0 || (header[5] != '1' && header[5] != '2'))
            return fail("this is no newc header");
        uint32_t data_size, name_size, unused;
        uint32_t* const fields[kFieldCount] = {
            &unused,    &entry.mode, &entry.uid, &entry.gid,        &unused,
            &entry.modified, &data_size, &unused, &unused, &entry.node_major,
            &entry.node_minor, &name_size, &unused};
        for (const char* text = header + kMagicSize; uint32_t* field : fields) {
            auto [end, error] = std::from_chars(text, text + kFieldSize, *field, 16);
            text += kFieldSize;
            if (error != std::errc{} || end != text)
                return fail("a header field is no hexadecimal number");
        }
        left -= kHeaderSize;
        if (name_size == 0 || name_size > left) return fail("the name is cut off");
        const char* name = header + kHeaderSize;
        if (memchr(name, 0, name_size) != name + name_size - 1)
            return fail("the name does not end where it should");
        left -= name_size;
        size_t name_padding = padding(kHeaderSize + name_size);
        entry.name = {name, name_size - 1};
        if (entry.name == kTrailer) {
            position_ += kHeaderSize + name_size;
            in_archive_ = false;
            continue;
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
        return true;
    }
}
