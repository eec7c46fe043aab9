// What the log says of a program that a signal ended with a core dump (signal(7)): where it
// was, and who called that, by frame pointers and the symbol table of its file (System V ABI,
// chapter 4), unless that was stripped. Of shared libraries only addresses. No core is written.
//
// The program made the file and the stack, so nothing in them is believed: a read that fails
// or gives too little ends the search, and what is searched has a limit.
#include <algorithm>
#include <span>

#include "kernel/mm/user_access.h"
#include "kernel/task/process.h"

namespace {

constexpr int kMaxCallers = 12;
constexpr uint64_t kMaxTable = 1 << 20;  // bytes of a symbol table that are looked at

// The symbol table of an open ELF file.
class ProgramSymbols {
  public:
    ProgramSymbols(File& file, VirtAddr load_address) : file_(file) {
        Elf64_Ehdr header;
        if (read(0, &header, sizeof header) != sizeof header) return;
        if (header.e_type == ET_DYN) bias_ = load_address;
        auto section = [&](uint64_t index, Elf64_Shdr& out) {
            return read(header.e_shoff + index * sizeof out, &out, sizeof out) == sizeof out;
        };
        Elf64_Shdr table;
        for (uint32_t i = 0; i < header.e_shnum && section(i, table); i++) {
            if (table.sh_type != SHT_SYMTAB || !section(table.sh_link, names_)) continue;
            table_ = table;
            return;
        }
    }

    // The function that the code at `address` belongs to: its name, at most a part of it, and
    // how far into it that is. False when there is none.
    bool find(VirtAddr address, char (&name)[64], uint64_t& offset) {
        Elf64_Sym symbols[32];
        for (uint64_t at = 0; at < std::min(table_.sh_size, kMaxTable); at += sizeof symbols) {
            size_t count = read(table_.sh_offset + at, symbols, sizeof symbols) / sizeof *symbols;
            for (const Elf64_Sym& symbol : std::span(symbols, count)) {
                offset = address - bias_ - symbol.st_value;
                if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || offset >= symbol.st_size)
                    continue;
                name[read(names_.sh_offset + symbol.st_name, name, sizeof name - 1)] = '\0';
                return true;
            }
        }
        return false;
    }

  private:
    size_t read(uint64_t offset, void* to, size_t size) {
        IoBuffer buffer = IoBuffer::kernel(to, size);
        Result<size_t> got = file_.read_at(buffer, offset);
        return got.ok() ? got.value() : 0;
    }

    File& file_;
    uint64_t bias_ = 0;
    Elf64_Shdr table_{}, names_{};
};

}  // namespace

void log_core_message(Process& process, int signal, const TrapFrame& frame) {
    log_info("pid %d (%s): core dumped by signal %d, last fault at %#lx", process.pid,
             current_thread()->name, signal, current_thread()->fault_address);
    Result<File*> opened = process.executable->open(O_RDONLY);
    if (!opened.ok()) return;
    FileRef file(opened.value());
    ProgramSymbols symbols(*file, process.space->code_start);
    VirtAddr link[2] = {frame.rbp, frame.rip};  // the caller's frame, and where that goes on
    VirtAddr inner = 0;
    for (int i = 0; i <= kMaxCallers && link[1] != 0; i++) {
        char name[64];
        uint64_t offset = 0;
        // A call may be the last instruction of its function.
        bool found = symbols.find(link[1] - (i != 0), name, offset);
        log_info("  %#lx %s+%#lx", link[1], found ? name : "?", found ? offset + (i != 0) : 0);
        if (link[0] % 8 != 0 || link[0] <= inner) return;
        inner = link[0];
        if (!copy_from_user(link, inner, sizeof link).ok()) return;
    }
}
