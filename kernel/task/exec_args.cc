#include "kernel/task/exec_args.h"

#include <algorithm>
#include <cstring>

#include "kernel/mm/slab.h"
#include "kernel/mm/user_access.h"

GrowingBuffer::~GrowingBuffer() { kfree(data_, capacity_); }

Result<char*> GrowingBuffer::end(uint64_t& room) {
    if (capacity_ - size_ < sizeof(uint64_t)) {
        uint64_t capacity = capacity_ == 0 ? kPageSize / 2 : 2 * capacity_;
        auto* data = static_cast<char*>(kmalloc(capacity));
        if (data == nullptr) return Error(ENOMEM);
        if (size_ != 0) memcpy(data, data_, size_);
        kfree(data_, capacity_);
        data_ = data;
        capacity_ = capacity;
    }
    room = capacity_ - size_;
    return data_ + size_;
}

Result<void> GrowingBuffer::append(std::string_view text) {
    while (!text.empty()) {
        uint64_t room;
        char* to = TRY(end(room));
        size_t part = std::min(room, text.size());
        memcpy(to, text.data(), part);
        added(part);
        text.remove_prefix(part);
    }
    return {};
}

PackedArgs::PackedArgs(uint64_t limit) : limit_(std::min(limit, kMaxBytes)) {}

Result<void> PackedArgs::add_word(uint64_t word) {
    if (strings_.size() + words_.size() + sizeof word > limit_) return Error(E2BIG);
    return words_.append({reinterpret_cast<const char*>(&word), sizeof word});
}

// One string, whose next bytes, up to its NUL and at most `size`, come from fetch(to, size).
template <typename Fetch>
Result<void> PackedArgs::append(Fetch fetch) {
    uint64_t start = strings_.size();
    TRY(add_word(start));
    for (;;) {
        uint64_t size;
        char* to = TRY(strings_.end(size));
        size = std::min({size, limit_ - words_.size() - strings_.size(),
                         kMaxString - (strings_.size() - start)});
        if (size == 0) return Error(E2BIG);
        size_t part = TRY(fetch(to, size));
        strings_.added(part);
        if (to[part - 1] == '\0') return {};
    }
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

Result<uint32_t> PackedArgs::add_array(VirtAddr array, uint32_t skip) {
    if (array == 0) return uint32_t{0};
    for (uint32_t i = 0;; i++) {
        VirtAddr string = TRY(UserIn<VirtAddr>(array).read(i));
        if (string == 0) return i < skip ? 0 : i - skip;
        if (i < skip) continue;
        TRY(append([&string](char* to, size_t size) -> Result<size_t> {
            if (string >= kUserTop) return Error(EFAULT);
            uint8_t faulted = 0;
            size_t part = user_copy_string(to, string, std::min(size, kUserTop - string),
                                           &faulted);
            if (part == 0 || (faulted != 0 && to[part - 1] != '\0')) return Error(EFAULT);
            string += part;
            return part;
        }));
    }
}
