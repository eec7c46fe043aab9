// Addresses of a kernel image in words: function, offset, file and line (elfutils).
#pragma once
#include <cstdint>
#include <string>

#include "grader/lib/util.h"

struct Dwfl;
struct Dwfl_Module;

class Symbols {
  public:
    explicit Symbols(const fs::path& elf);  // an unreadable file leaves it without answers
    ~Symbols();
    Symbols(const Symbols&) = delete;
    Symbols& operator=(const Symbols&) = delete;

    // "schedule()+0x12 (kernel/sched/schedule.cc:88)", or the bare number.
    std::string describe(uint64_t address) const;
    // Only the function's name, demangled; empty when there is none.
    std::string function(uint64_t address) const;
    // Address of a symbol by its name in the object file; 0 when there is none.
    uint64_t address(const std::string& name) const;

  private:
    Dwfl* dwfl_ = nullptr;
    Dwfl_Module* module_ = nullptr;
};

// Kernel addresses are in the upper half.
inline bool is_kernel_address(uint64_t address) { return address >> 63 != 0; }
