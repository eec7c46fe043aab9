// A program file that execve is about to run, and the address space that it is put into.
// Nothing here touches the running program: all of it can fail.
#pragma once
#include "kernel/fs/vfs.h"
#include "kernel/mm/address_space.h"
#include "kernel/task/elf.h"

// An executable file with its first page.
struct ProgramFile {
    InodeRef inode;
    ScratchPage head_page;
    uint64_t size = 0;

    // The calling process may execute it: EACCES, ENOENT, ENOEXEC (empty) and what a path
    // walk gives.
    static Result<ProgramFile> open(std::string_view path);
    std::span<const uint8_t> head() const {
        return {reinterpret_cast<const uint8_t*>(head_page.data()),
                size < kPageSize ? size : kPageSize};
    }
    PageSource* source() const { return inode->page_source(); }
};

// The first line of a script, "#! interpreter [argument]", in place.
struct ScriptLine {
    std::string_view interpreter;
    std::string_view argument;  // empty: none
};
// Is it a script (it begins with "#!")? ENOEXEC when its line is too long or names nothing.
bool is_script(std::span<const uint8_t> head);
Result<ScriptLine> parse_script(std::span<const uint8_t> head);

// Where a program has been put.
struct LoadedImage {
    ElfImage image;
    uint64_t bias;  // load address minus link address
};
// Maps the segments of `file` into `space`: private file mappings and, for what goes beyond
// the file, anonymous memory. A relocatable image goes to `base` (0: where mmap would).
// The rest of a segment's last file page is not cleared yet: clear_tails.
Result<LoadedImage> map_program(AddressSpace& space, const ProgramFile& file,
                                const ElfImage& image, VirtAddr base);
// Zeroes what follows the file's part in the last page of each segment. In the space itself.
Result<void> clear_tails(const LoadedImage& loaded);
