#include "kernel/task/elf.h"

#include <algorithm>
#include <cstring>

#include "kernel/arch/paging.h"
#include "kernel/mm/address_space.h"

namespace {

constexpr uint8_t kIdent[7] = {0x7f, 'E', 'L', 'F', 2 /* 64 bits */, 1 /* little endian */, 1};

bool in_file(uint64_t offset, uint64_t size, uint64_t file_size) {
    return offset <= file_size && size <= file_size - offset;
}

bool is_program(const Elf64_Ehdr& header) {
    return std::equal(std::begin(kIdent), std::end(kIdent), header.e_ident) &&
           (header.e_type == ET_EXEC || header.e_type == ET_DYN) &&
           header.e_machine == EM_X86_64 &&
           header.e_phentsize == sizeof(Elf64_Phdr);
}

bool is_sound(const Elf64_Phdr& header, uint64_t file_size, uint64_t lowest) {
    return header.p_filesz <= header.p_memsz &&
           in_file(header.p_offset, header.p_filesz, file_size) &&
           header.p_offset % kPageSize == header.p_vaddr % kPageSize &&
           header.p_vaddr >= lowest && header.p_vaddr < kUserTop &&
           header.p_memsz < kUserTop - header.p_vaddr;
}

Result<void> add_segment(ElfImage& image, const Elf64_Phdr& header, uint64_t file_size) {
    if (header.p_memsz == 0) return {};
    uint64_t lowest = image.relocatable ? 0 : kUserBottom;
    if (image.segment_count > 0) {
        const Elf64_Phdr& last = image.segments[image.segment_count - 1];
        lowest = last.p_vaddr + last.p_memsz;
    }
    if (image.segment_count == kMaxElfSegments || !is_sound(header, file_size, lowest))
        return Error(ENOEXEC);
    image.segments[image.segment_count++] = header;
    return {};
}

// Where the program headers lie in memory: in the segment that covers their place in the
// file.
uint64_t loaded_address(const ElfImage& image, uint64_t offset, uint64_t size) {
    for (uint32_t i = 0; i < image.segment_count; i++) {
        const Elf64_Phdr& segment = image.segments[i];
        if (offset >= segment.p_offset &&
            in_file(offset - segment.p_offset, size, segment.p_filesz))
            return segment.p_vaddr + (offset - segment.p_offset);
    }
    return 0;
}

}  // namespace

Result<ElfImage> parse_elf(std::span<const uint8_t> head, uint64_t file_size) {
    Elf64_Ehdr header;
    if (head.size() < sizeof header || file_size < head.size()) return Error(ENOEXEC);
    memcpy(&header, head.data(), sizeof header);
    uint64_t table_size = header.e_phnum * sizeof(Elf64_Phdr);
    if (!is_program(header) || !in_file(header.e_phoff, table_size, head.size()))
        return Error(ENOEXEC);

    ElfImage image = {};
    image.relocatable = header.e_type == ET_DYN;
    image.entry = header.e_entry;
    image.program_header_count = header.e_phnum;
    for (uint16_t i = 0; i < header.e_phnum; i++) {
        Elf64_Phdr entry;
        memcpy(&entry, head.data() + header.e_phoff + i * sizeof entry, sizeof entry);
        if (entry.p_type == PT_LOAD) TRY(add_segment(image, entry, file_size));
        if (entry.p_type != PT_INTERP) continue;
        if (entry.p_filesz < 2 || !in_file(entry.p_offset, entry.p_filesz, head.size()))
            return Error(ENOEXEC);
        image.interpreter_offset = entry.p_offset;
        image.interpreter_size = entry.p_filesz;
    }
    if (image.segment_count == 0) return Error(ENOEXEC);
    const Elf64_Phdr& last = image.segments[image.segment_count - 1];
    image.low = round_down(image.segments[0].p_vaddr, kPageSize);
    image.high = round_up(last.p_vaddr + last.p_memsz, kPageSize);
    image.program_headers = loaded_address(image, header.e_phoff, table_size);
    if (image.entry < image.low || image.entry >= image.high) return Error(ENOEXEC);
    return image;
}
