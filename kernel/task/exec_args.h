// The argument and environment strings of an execve, on their way from the old program's
// memory to the new one's stack. Where strings and pages come from is the caller's business
// (ArgSource), so packing is tested and fuzzed on the host.
#pragma once
#include <cstdint>
#include <string_view>

#include "kernel/base/result.h"
#include "kernel/base/types.h"

// The old program's memory, and where packed bytes are kept.
class ArgSource {
  public:
    // The pointer at `address`. EFAULT.
    virtual Result<uint64_t> fetch_pointer(uint64_t address) = 0;
    // Copies string bytes from `address`, up to and including a NUL, at most `size` (> 0).
    // Returns how many; without a NUL in the last place the string goes on. EFAULT.
    virtual Result<size_t> fetch_string(char* to, uint64_t address, size_t size) = 0;
    virtual char* new_page() = 0;  // kPageSize bytes, aligned; nullptr: no memory
    virtual void free_page(char* page) = 0;

  protected:
    ~ArgSource() = default;
};

// Strings packed one after the other, each with its NUL, and where each begins.
class PackedArgs {
  public:
    static constexpr uint64_t kMaxBytes = 2 * 1024 * 1024;
    static constexpr uint64_t kMaxString = 128 * 1024;  // with the NUL (MAX_ARG_STRLEN)
    // `limit`: bytes that strings and pointers (8 each) may take together, at most
    // kMaxBytes.
    PackedArgs(ArgSource& source, uint64_t limit);
    ~PackedArgs();
    PackedArgs(const PackedArgs&) = delete;
    PackedArgs& operator=(const PackedArgs&) = delete;

    // All of these: E2BIG beyond the limit, ENOMEM.
    Result<void> add(std::string_view text);
    // The strings of a null-terminated pointer array, without the first `skip`; an array at
    // address 0 is empty. Returns how many were added.
    Result<uint32_t> add_array(uint64_t array, uint32_t skip);

    uint32_t count() const { return count_; }
    uint64_t bytes() const { return bytes_; }
    uint32_t offset(uint32_t index) const;  // of string `index` in the packed bytes
    // The packed bytes [at, at + returned size) up to the next page end.
    std::string_view piece(uint64_t at) const;

  private:
    // Pages by number: the first few here, the others in a page of pointers.
    class PageList {
      public:
        static constexpr uint64_t kMaxPages = kPageSize / sizeof(char*);
        void free_all(ArgSource& source);
        // The page, made if need be. ENOMEM.
        Result<char*> make(ArgSource& source, uint64_t index);
        char* get(uint64_t index) const { return index < kInline ? first_[index] : more_[index]; }

      private:
        static constexpr uint64_t kInline = 4;
        char* first_[kInline] = {};
        char** more_ = nullptr;
    };
    static constexpr uint64_t kOffsetsPerPage = kPageSize / sizeof(uint32_t);
    static_assert(kMaxBytes / kPageSize <= PageList::kMaxPages);

    template <typename Fetch>
    Result<void> append(Fetch fetch);
    Result<char*> room(uint64_t& size);  // for the next bytes, until the page or limit ends

    ArgSource& source_;
    uint64_t limit_;
    uint64_t bytes_ = 0;
    uint64_t string_start_ = 0;
    uint32_t count_ = 0;
    PageList strings_, offsets_;
};
