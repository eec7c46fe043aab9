// The argument and environment strings of an execve, on their way from the old program's
// memory to the new one's stack, and the words that point to them. Needs nothing but the
// heap and user copies, so packing is fuzzed on the host (grader/fuzz/arguments_fuzz.cc).
#pragma once
#include <cstdint>
#include <string_view>

#include "kernel/base/result.h"
#include "kernel/base/types.h"

// Bytes on the heap, in one piece, which doubles when it is full.
class GrowingBuffer {
  public:
    GrowingBuffer() = default;
    GrowingBuffer(const GrowingBuffer&) = delete;
    GrowingBuffer& operator=(const GrowingBuffer&) = delete;
    ~GrowingBuffer();
    // Where the next bytes go, and for how many there is room: one word at least. ENOMEM.
    Result<char*> end(uint64_t& room);
    void added(uint64_t size) { size_ += size; }
    Result<void> append(std::string_view text);
    char* data() const { return data_; }
    uint64_t size() const { return size_; }

  private:
    char* data_ = nullptr;
    uint64_t size_ = 0, capacity_ = 0;
};

// Strings packed one after the other, each with its NUL, and the words of the new stack
// below them, in which an added string stands as its offset in the packed bytes.
class PackedArgs {
  public:
    static constexpr uint64_t kMaxBytes = 2 * 1024 * 1024;
    static constexpr uint64_t kMaxString = 128 * 1024;  // with the NUL (MAX_ARG_STRLEN)
    // `limit`: bytes that strings and words may take together, at most kMaxBytes.
    explicit PackedArgs(uint64_t limit);

    // All of these: E2BIG beyond the limit, ENOMEM.
    Result<void> add_word(uint64_t word);
    Result<void> add(std::string_view text);
    // The strings of a null-terminated pointer array in user memory, without the first
    // `skip`; an array at address 0 is empty. Returns how many were added. EFAULT.
    Result<uint32_t> add_array(VirtAddr array, uint32_t skip);

    std::string_view strings() const { return {strings_.data(), strings_.size()}; }
    uint64_t* words() const { return reinterpret_cast<uint64_t*>(words_.data()); }
    uint64_t word_count() const { return words_.size() / sizeof(uint64_t); }

  private:
    template <typename Fetch>
    Result<void> append(Fetch fetch);

    uint64_t limit_;
    GrowingBuffer strings_, words_;
};
