// Reading ELF64 program files: a pure parser over the file's first page, so that it can be
// tested and fuzzed on the host. What it accepts can be mapped without further checks.
#pragma once
#include <cstdint>
#include <span>

#include "kernel/abi/elf.h"
#include "kernel/base/result.h"
#include "kernel/base/types.h"

inline constexpr uint32_t kMaxElfSegments = 16;

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
