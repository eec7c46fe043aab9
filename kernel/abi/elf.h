// ELF64 files (System V gABI chapters 4 and 5) and the auxiliary vector (System V ABI
// x86-64, 3.4.3).
#pragma once
#include <cstdint>

namespace abi {
struct ElfHeader {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, program_headers, section_headers;
    uint32_t flags;
    uint16_t header_size, program_header_size, program_header_count;
    uint16_t section_header_size, section_header_count, string_section;
};
static_assert(sizeof(ElfHeader) == 64);

struct ElfProgramHeader {
    uint32_t type, flags;
    uint64_t offset, address, physical, file_size, memory_size, alignment;
};
static_assert(sizeof(ElfProgramHeader) == 56);

inline constexpr uint16_t kElfExecutable = 2, kElfShared = 3, kElfMachineX86_64 = 62;
inline constexpr uint32_t kElfLoad = 1, kElfInterpreter = 3;
inline constexpr uint32_t kElfExecute = 1, kElfWrite = 2, kElfRead = 4;

// Types of the auxiliary vector's entries.
inline constexpr uint64_t kAuxNull = 0, kAuxProgramHeaders = 3, kAuxProgramHeaderSize = 4,
                          kAuxProgramHeaderCount = 5, kAuxPageSize = 6, kAuxBase = 7,
                          kAuxFlags = 8, kAuxEntry = 9, kAuxUid = 11, kAuxEuid = 12,
                          kAuxGid = 13, kAuxEgid = 14, kAuxPlatform = 15, kAuxHwcap = 16,
                          kAuxClockTicks = 17, kAuxSecure = 23, kAuxRandom = 25,
                          kAuxHwcap2 = 26, kAuxExecFn = 31, kAuxMinSigStackSize = 51;
}  // namespace abi
