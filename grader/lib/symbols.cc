#include "grader/lib/symbols.h"

#include <cxxabi.h>
#include <elfutils/libdwfl.h>

#include <cstdlib>
#include <cstring>

namespace {

std::string demangle(const char* name) {
    int status;
    char* text = abi::__cxa_demangle(name, nullptr, nullptr, &status);
    std::string result = text != nullptr ? text : name;
    free(text);
    return result;
}

const Dwfl_Callbacks kCallbacks = {
    .find_elf = dwfl_build_id_find_elf,
    .find_debuginfo = dwfl_standard_find_debuginfo,
    .section_address = dwfl_offline_section_address,
    .debuginfo_path = nullptr,
};

}  // namespace

Symbols::Symbols(const fs::path& elf) {
    dwfl_ = dwfl_begin(&kCallbacks);
    if (dwfl_ == nullptr) return;
    dwfl_report_begin(dwfl_);
    module_ = dwfl_report_elf(dwfl_, "kernel", elf.c_str(), -1, 0, false);
    dwfl_report_end(dwfl_, nullptr, nullptr);
}

Symbols::~Symbols() {
    if (dwfl_ != nullptr) dwfl_end(dwfl_);
}

std::string Symbols::function(uint64_t address) const {
    if (module_ == nullptr) return {};
    const char* name = dwfl_module_addrname(module_, address);
    return name != nullptr ? demangle(name) : std::string();
}

std::string Symbols::describe(uint64_t address) const {
    if (module_ == nullptr) return hex(address);
    GElf_Off offset = 0;
    GElf_Sym symbol;
    const char* name =
        dwfl_module_addrinfo(module_, address, &offset, &symbol, nullptr, nullptr, nullptr);
    if (name == nullptr) return hex(address);
    std::string text = demangle(name) + "+" + hex(offset);
    Dwfl_Line* line = dwfl_module_getsrc(module_, address);
    int number = 0;
    const char* file = line == nullptr ? nullptr
                                       : dwfl_lineinfo(line, nullptr, &number, nullptr,
                                                       nullptr, nullptr);
    if (file == nullptr) return text;
    std::error_code error;
    fs::path shown = fs::path(file).is_absolute() ? fs::relative(file, error) : fs::path(file);
    return text + " (" + (error || shown.empty() ? file : shown.string()) + ":" +
           std::to_string(number) + ")";
}

uint64_t Symbols::address(const std::string& name) const {
    if (module_ == nullptr) return 0;
    int count = dwfl_module_getsymtab(module_);
    for (int i = 0; i < count; ++i) {
        GElf_Sym symbol;
        GElf_Addr value;
        const char* found =
            dwfl_module_getsym_info(module_, i, &symbol, &value, nullptr, nullptr, nullptr);
        if (found != nullptr && symbol.st_shndx != SHN_UNDEF && name == found) return value;
    }
    return 0;
}
