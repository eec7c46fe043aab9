#include "kernel/task/program.h"

#include <algorithm>

#include "kernel/abi/mman.h"
#include "kernel/mm/user_access.h"
#include "kernel/task/process.h"

namespace {

constexpr size_t kMaxScriptLine = 255;  // as on Linux
// Larger segments are left to fault-around: most of a large program is never run, and each
// page mapped has to be unmapped again (busybox true, all 1.9 MiB at once: 349,000
// instructions instead of 294,000 for vfork, exec and wait under icount, debug build).
constexpr uint64_t kPopulateLimit = 16 * kPageSize;
// Of writable segments, which are copied page by page, only the small ones, that the start
// of the program writes all over (GOT, .data).
constexpr uint64_t kCopyLimit = 8 * kPageSize;

constexpr std::string_view kBlanks = " \t";

uint8_t protection_of(uint32_t flags) {
    return static_cast<uint8_t>(((flags & PF_R) != 0 ? kProtRead : 0) |
                                ((flags & PF_W) != 0 ? kProtWrite : 0) |
                                ((flags & PF_X) != 0 ? kProtExecute : 0));
}

Result<void> map_segment(AddressSpace& space, PageSource* source, const Elf64_Phdr& segment,
                         uint64_t bias) {
    constexpr uint32_t kFlags = MAP_PRIVATE | MAP_FIXED;
    uint8_t protection = protection_of(segment.p_flags);
    VirtAddr address = segment.p_vaddr + bias, start = round_down(address, kPageSize);
    VirtAddr file_end = start, end = round_up(address + segment.p_memsz, kPageSize);
    if (segment.p_filesz != 0) {
        file_end = round_up(address + segment.p_filesz, kPageSize);
        uint64_t size = file_end - start;
        TRY(space.map(start, size, protection, kFlags, source,
                      round_down(segment.p_offset, kPageSize)));
        bool writable = (segment.p_flags & PF_W) != 0;
        if (size <= (writable ? kCopyLimit : kPopulateLimit))
            space.populate(start, size, writable ? Access::Write : Access::Read);
    }
    if (end > file_end)
        TRY(space.map(file_end, end - file_end, protection, kFlags | MAP_ANONYMOUS, nullptr, 0));
    return {};
}

}  // namespace

Result<ProgramFile> ProgramFile::open(std::string_view path) {
    ProcessWalk walk = TRY(ProcessWalk::at(AT_FDCWD, path.starts_with('/')));
    ProgramFile file;
    file.inode.reset(TRY(vfs_walk(walk.context(), path, kFollow)));
    if (file.inode->type() != S_IFREG || !file.inode->executable()) return Error(EACCES);
    if (file.source() == nullptr) return Error(EACCES);
    file.size = file.inode->stat().size;
    if (file.size == 0) return Error(ENOEXEC);
    file.head_page = ScratchPage(TRY(file.source()->get_page(0)));
    return file;
}

bool is_script(std::span<const uint8_t> head) {
    return head.size() > 2 && head[0] == '#' && head[1] == '!';
}

Result<ScriptLine> parse_script(std::span<const uint8_t> head) {
    std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
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

Result<LoadedImage> map_program(AddressSpace& space, const ProgramFile& file,
                                const ElfImage& image, VirtAddr base) {
    if (image.relocatable && base == 0) {
        // Ask mmap for room, then use it.
        uint64_t size = image.high - image.low;
        base = TRY(space.map(0, size, 0, MAP_PRIVATE | MAP_ANONYMOUS, nullptr, 0));
        TRY(space.unmap(base, size));
    }
    LoadedImage loaded = {image, image.relocatable ? base - image.low : 0};
    for (uint32_t i = 0; i < image.segment_count; i++)
        TRY(map_segment(space, file.source(), image.segments[i], loaded.bias));
    return loaded;
}

Result<void> clear_tails(const LoadedImage& loaded) {
    for (uint32_t i = 0; i < loaded.image.segment_count; i++) {
        const Elf64_Phdr& segment = loaded.image.segments[i];
        if (segment.p_memsz == segment.p_filesz || segment.p_filesz == 0 ||
            (segment.p_flags & PF_W) == 0)
            continue;
        VirtAddr file_end = segment.p_vaddr + segment.p_filesz + loaded.bias;
        TRY(clear_user(file_end, round_up(file_end, kPageSize) - file_end));
    }
    return {};
}
