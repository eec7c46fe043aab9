#include "kernel/task/elf.h"

#include <algorithm>
#include <cstring>

#include "kernel/abi/elf.h"
#include "kernel/arch/paging.h"
#include "kernel/mm/address_space.h"

namespace {

constexpr uint8_t kIdent[7] = {0x7f, 'E', 'L', 'F', 2 /* 64 bits */, 1 /* little endian */, 1};

bool in_file(uint64_t offset, uint64_t size, uint64_t file_size) {
    return offset <= file_size && size <= file_size - offset;
}

bool is_program(const abi::ElfHeader& header) {
    return std::equal(std::begin(kIdent), std::end(kIdent), header.ident) &&
           (header.type == abi::kElfExecutable || header.type == abi::kElfShared) &&
           header.machine == abi::kElfMachineX86_64 &&
           header.program_header_size == sizeof(abi::ElfProgramHeader);
}

bool is_sound(const abi::ElfProgramHeader& header, uint64_t file_size, uint64_t lowest) {
    return header.file_size <= header.memory_size &&
           in_file(header.offset, header.file_size, file_size) &&
           header.offset % kPageSize == header.address % kPageSize &&
           header.address >= lowest && header.address < kUserTop &&
           header.memory_size < kUserTop - header.address;
}

uint8_t protection_of(uint32_t flags) {
    return static_cast<uint8_t>(((flags & abi::kElfRead) != 0 ? kProtRead : 0) |
                                ((flags & abi::kElfWrite) != 0 ? kProtWrite : 0) |
                                ((flags & abi::kElfExecute) != 0 ? kProtExecute : 0));
}

Result<void> add_segment(ElfImage& image, const abi::ElfProgramHeader& header,
                         uint64_t file_size) {
    if (header.memory_size == 0) return {};
    uint64_t lowest = image.relocatable ? 0 : kUserBottom;
    if (image.segment_count > 0) {
        const ElfSegment& last = image.segments[image.segment_count - 1];
        lowest = last.address + last.memory_size;
    }
    if (image.segment_count == kMaxElfSegments || !is_sound(header, file_size, lowest))
        return Error(ENOEXEC);
    image.segments[image.segment_count++] = {header.address, header.memory_size, header.offset,
                                             header.file_size, protection_of(header.flags)};
    return {};
}

// Where the program headers lie in memory: in the segment that covers their place in the
// file.
uint64_t loaded_address(const ElfImage& image, uint64_t offset, uint64_t size) {
    for (uint32_t i = 0; i < image.segment_count; i++) {
        const ElfSegment& segment = image.segments[i];
        if (offset >= segment.file_offset &&
            in_file(offset - segment.file_offset, size, segment.file_size))
            return segment.address + (offset - segment.file_offset);
    }
    return 0;
}

}  // namespace

Result<ElfImage> parse_elf(std::span<const uint8_t> head, uint64_t file_size) {
    abi::ElfHeader header;
    if (head.size() < sizeof header || file_size < head.size()) return Error(ENOEXEC);
    memcpy(&header, head.data(), sizeof header);
    uint64_t table_size = header.program_header_count * sizeof(abi::ElfProgramHeader);
    if (!is_program(header) || !in_file(header.program_headers, table_size, head.size()))
        return Error(ENOEXEC);

    ElfImage image = {};
    image.relocatable = header.type == abi::kElfShared;
    image.entry = header.entry;
    image.program_header_count = header.program_header_count;
    for (uint16_t i = 0; i < header.program_header_count; i++) {
        abi::ElfProgramHeader entry;
        memcpy(&entry, head.data() + header.program_headers + i * sizeof entry, sizeof entry);
        if (entry.type == abi::kElfLoad) TRY(add_segment(image, entry, file_size));
        if (entry.type != abi::kElfInterpreter) continue;
        if (entry.file_size < 2 || !in_file(entry.offset, entry.file_size, head.size()))
            return Error(ENOEXEC);
        image.interpreter_offset = entry.offset;
        image.interpreter_size = entry.file_size;
    }
    if (image.segment_count == 0) return Error(ENOEXEC);
    const ElfSegment& last = image.segments[image.segment_count - 1];
    image.low = round_down(image.segments[0].address, kPageSize);
    image.high = round_up(last.address + last.memory_size, kPageSize);
    image.program_headers = loaded_address(image, header.program_headers, table_size);
    if (image.entry < image.low || image.entry >= image.high) return Error(ENOEXEC);
    return image;
}
