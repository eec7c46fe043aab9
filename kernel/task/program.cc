#include "kernel/task/program.h"

#include <algorithm>
#include <cstring>

#include "kernel/mm/slab.h"
#include "kernel/mm/user_access.h"

namespace {

constexpr size_t kMaxScriptLine = 255;  // as on Linux
constexpr std::string_view kBlanks = " \t";
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

Result<ScriptLine> parse_script(std::span<const uint8_t> head) {
    std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
    if (!text.starts_with("#!")) return ScriptLine{};
    size_t end = text.find('\n');
    if (end == text.npos) end = text.size();
    if (end > kMaxScriptLine) return Error(ENOEXEC);
    std::string_view line(text.data() + 2, end - 2);
    size_t start = line.find_first_not_of(kBlanks);
    if (start == line.npos) return Error(ENOEXEC);
    line.remove_prefix(start);
    line.remove_suffix(line.size() - 1 - line.find_last_not_of(kBlanks));
    size_t blank = line.find_first_of(kBlanks);
    if (blank == line.npos) return ScriptLine{line, {}};
    std::string_view interpreter(line.data(), blank);
    line.remove_prefix(line.find_first_not_of(kBlanks, blank));
    return ScriptLine{interpreter, line};
}

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
