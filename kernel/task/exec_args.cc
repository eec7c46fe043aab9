#include "kernel/task/exec_args.h"

#include <algorithm>
#include <cstring>

#include "kernel/base/assert.h"

namespace {
constexpr uint64_t kPointerSize = sizeof(uint64_t);
}

PackedArgs::PackedArgs(ArgSource& source, uint64_t limit)
    : source_(source), limit_(std::min(limit, kMaxBytes)) {}

PackedArgs::~PackedArgs() {
    strings_.free_all(source_);
    offsets_.free_all(source_);
}

void PackedArgs::PageList::free_all(ArgSource& source) {
    for (char* page : first_) {
        if (page != nullptr) source.free_page(page);
    }
    if (more_ == nullptr) return;
    for (uint64_t i = kInline; i < kMaxPages; i++) {
        if (more_[i] != nullptr) source.free_page(more_[i]);
    }
    source.free_page(reinterpret_cast<char*>(more_));
}

Result<char*> PackedArgs::PageList::make(ArgSource& source, uint64_t index) {
    if (index >= kInline && more_ == nullptr) {
        more_ = reinterpret_cast<char**>(source.new_page());
        if (more_ == nullptr) return Error(ENOMEM);
        memset(static_cast<void*>(more_), 0, kPageSize);
    }
    char*& page = index < kInline ? first_[index] : more_[index];
    if (page == nullptr) page = source.new_page();
    if (page == nullptr) return Error(ENOMEM);
    return page;
}

Result<char*> PackedArgs::room(uint64_t& size) {
    uint64_t left = std::min(limit_ - count_ * kPointerSize - bytes_,
                             kMaxString - (bytes_ - string_start_));
    if (left == 0) return Error(E2BIG);
    char* page = TRY(strings_.make(source_, bytes_ / kPageSize));
    size = std::min(left, kPageSize - bytes_ % kPageSize);
    return page + bytes_ % kPageSize;
}

// One string, whose next bytes, up to its NUL and at most `size`, come from fetch(to, size).
template <typename Fetch>
Result<void> PackedArgs::append(Fetch fetch) {
    if (bytes_ + (count_ + 1) * kPointerSize > limit_) return Error(E2BIG);
    char* page = TRY(offsets_.make(source_, count_ / kOffsetsPerPage));
    reinterpret_cast<uint32_t*>(page)[count_ % kOffsetsPerPage] =
        static_cast<uint32_t>(bytes_);
    string_start_ = bytes_;
    count_++;
    for (bool ended = false; !ended;) {
        uint64_t size;
        char* to = TRY(room(size));
        size_t part = TRY(fetch(to, size));
        if (part == 0 || part > size) return Error(EFAULT);
        ended = to[part - 1] == '\0';
        bytes_ += part;
    }
    return {};
}

Result<void> PackedArgs::add(std::string_view text) {
    return append([&text](char* to, size_t size) -> Result<size_t> {
        size_t part = std::min(size, text.size());
        memcpy(to, text.data(), part);
        text.remove_prefix(part);
        if (part < size) to[part++] = '\0';
        return part;
    });
}

Result<uint32_t> PackedArgs::add_array(uint64_t array, uint32_t skip) {
    if (array == 0) return uint32_t{0};
    for (uint32_t i = 0;; i++) {
        uint64_t string = TRY(source_.fetch_pointer(array + i * kPointerSize));
        if (string == 0) return i < skip ? 0 : i - skip;
        if (i < skip) continue;
        TRY(append([&](char* to, size_t size) -> Result<size_t> {
            size_t part = TRY(source_.fetch_string(to, string, size));
            string += part;
            return part;
        }));
    }
}

uint32_t PackedArgs::offset(uint32_t index) const {
    ASSERT(index < count_);
    return reinterpret_cast<const uint32_t*>(
        offsets_.get(index / kOffsetsPerPage))[index % kOffsetsPerPage];
}

std::string_view PackedArgs::piece(uint64_t at) const {
    if (at >= bytes_) return {};
    uint64_t in_page = at % kPageSize;
    return {strings_.get(at / kPageSize) + in_page, std::min(bytes_ - at, kPageSize - in_page)};
}
