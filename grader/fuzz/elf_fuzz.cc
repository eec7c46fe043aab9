// parse_elf on arbitrary first pages: what it accepts must be mappable as it stands.
#include <cstdlib>
#include <cstring>

#include "kernel/arch/paging.h"
#include "kernel/mm/user_access.h"
#include "kernel/task/program.h"

namespace {

void must(bool held) {
    if (!held) abort();
}

}  // namespace

// For packing arguments, which lies in the same file and is arguments_fuzz's.
Result<void> copy_from_user(void*, VirtAddr, size_t) { abort(); }
size_t user_copy_string(char*, VirtAddr, size_t, uint8_t*) { abort(); }

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    // The first bytes choose the size of the file behind the page.
    uint32_t extra = 0;
    if (size < sizeof extra) return 0;
    memcpy(&extra, data, sizeof extra);
    std::span<const uint8_t> head(data + sizeof extra, size - sizeof extra);
    if (head.size() > kPageSize) head = head.first(kPageSize);
    uint64_t file_size = head.size() + extra;
    Result<ElfImage> parsed = parse_elf(head, file_size);
    if (!parsed.ok()) return 0;
    const ElfImage& image = parsed.value();
    must(image.segment_count > 0 && image.segment_count <= kMaxElfSegments);
    must(image.low < image.high && image.high <= kUserTop);
    must(image.entry >= image.low && image.entry < image.high);
    uint64_t last = 0;
    for (uint32_t i = 0; i < image.segment_count; i++) {
        const Elf64_Phdr& segment = image.segments[i];
        must(segment.p_vaddr >= last);
        must(segment.p_memsz > 0 && segment.p_memsz >= segment.p_filesz);
        last = segment.p_vaddr + segment.p_memsz;
        must(last > segment.p_vaddr && last <= kUserTop);
        must(segment.p_offset <= file_size && segment.p_filesz <= file_size - segment.p_offset);
        must(segment.p_offset % kPageSize == segment.p_vaddr % kPageSize);
        must(segment.p_vaddr >= image.low && last <= image.high);
    }
    if (image.interpreter_size > 0) {
        must(image.interpreter_offset <= file_size &&
             image.interpreter_size <= file_size - image.interpreter_offset);
    }
    return 0;
}
