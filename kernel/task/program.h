// What execve(2) reads: program files (ELF64 and scripts), and the argument and environment
// strings, on their way from the old program's memory to the new one's stack.
//
// Pure parsers over a file's first page, and packing that needs nothing but the heap and user
// copies: so all of it is fuzzed on the host (grader/fuzz/elf_fuzz.cc, arguments_fuzz.cc).
#pragma once
#include <span>
#include <string_view>

#include "kernel/abi/system.h"
#include "kernel/base/types.h"

inline constexpr uint32_t kMaxElfSegments = 16;

// What parse_elf accepts can be mapped without further checks.
struct ElfImage {
    bool relocatable;          // ET_DYN: may be loaded anywhere
    uint64_t entry;            // before relocation
    uint64_t program_headers;  // their address in memory, before relocation; 0: not loaded
    uint16_t program_header_count;
    uint64_t interpreter_offset;  // in `head`
    uint64_t interpreter_size;    // with the NUL; 0: none
    uint64_t low, high;           // page-aligned bounds of all segments
    uint32_t segment_count;
    // Ascending, disjoint; p_memsz > 0 and >= p_filesz, p_offset congruent to p_vaddr (which is
    // not relocated yet) modulo the page size.
    Elf64_Phdr segments[kMaxElfSegments];
};

// `head` is the file's beginning (at most one page), `file_size` the size of all of it.
// ENOEXEC for anything that is not a sound x86-64 program: segments out of order, outside
// the file or outside user space (for a relocatable one: larger than that), program headers
// or interpreter path beyond `head`.
Result<ElfImage> parse_elf(std::span<const uint8_t> head, uint64_t file_size);

// The first line of a script, "#! interpreter [argument]", in place.
struct ScriptLine {
    std::string_view interpreter;  // empty: no script, which begins with "#!"
    std::string_view argument;     // empty: none
};
// ENOEXEC when the line of a script is too long or names nothing.
Result<ScriptLine> parse_script(std::span<const uint8_t> head);

// Bytes on the heap, in one piece, which doubles when it is full.
class GrowingBuffer {
  public:
    GrowingBuffer& operator=(GrowingBuffer&&) = delete;  // nor copied or moved otherwise
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
