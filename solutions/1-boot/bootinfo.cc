// What the boot loader told us, in one form for both protocols, and the RAM that is left
// for the frame allocator.
//
// Both parsers read memory that something else wrote: every length is checked against what
// encloses it before it is used, and every structure is copied out by memcpy, because
// nothing promises its alignment. Sums of untrusted numbers are clamped, not trusted: a
// range that ends past 2^64 ends at the last page instead.
//
// Sources: Multiboot2 specification 3.4-3.6; Xen public/arch-x86/hvm/start_info.h.
// Compiles on the host, too (grader suite of lab 1).
#include "kernel/arch/bootinfo.h"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace {

constexpr uint64_t kHighest = ~0ull << kPageShift;  // the last page boundary

uint64_t clamped_end(uint64_t start, uint64_t length) {
    uint64_t end = start + length;
    return end < start || end > kHighest ? kHighest : end;
}

// Adds a range. Too many: ranges of free memory are given up, anything else must not be
// forgotten.
Result<void> add_range(BootInfo& out, PhysAddr start, uint64_t length, uint32_t e820_type) {
    if (length == 0) return {};
    constexpr MemoryType kTypes[] = {MemoryType::Reserved, MemoryType::Available,
                                     MemoryType::Reserved, MemoryType::AcpiReclaimable,
                                     MemoryType::AcpiNvs,  MemoryType::Bad};
    MemoryType type = e820_type < std::size(kTypes) ? kTypes[e820_type] : MemoryType::Reserved;
    if (out.memory_count == kMaxMemoryRanges) {
        if (type == MemoryType::Available) return {};
        return Error(E2BIG);
    }
    out.memory[out.memory_count++] = {start, clamped_end(start, length), type};
    return {};
}

// ---- Multiboot2 ----

enum Tag : uint32_t {
    kTagEnd = 0,
    kTagCommandLine = 1,
    kTagModule = 3,
    kTagMemoryMap = 6,
    kTagFramebuffer = 8,
    kTagAcpiOld = 14,  // RSDP of ACPI 1.0
    kTagAcpiNew = 15,
};

// One tag without its 8-byte header.
using Bytes = std::span<const uint8_t>;

template <typename T>
Result<T> read_at(Bytes bytes, size_t offset) {
    if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return Error(EINVAL);
    T value;
    memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
}

Result<void> read_module(Bytes tag, BootInfo& out) {
    uint32_t start = TRY(read_at<uint32_t>(tag, 0));
    uint32_t end = TRY(read_at<uint32_t>(tag, 4));
    if (end < start) return Error(EINVAL);
    if (out.initramfs_end != out.initramfs_start) return {};  // the first module counts
    out.initramfs_start = start;
    out.initramfs_end = end;
    return {};
}

Result<void> read_memory_map(Bytes tag, BootInfo& out) {
    struct Entry {
        uint64_t start, length;
        uint32_t type, reserved;
    };
    // The entry size is told, so that later versions can add fields (spec 3.6.8).
    uint32_t entry_size = TRY(read_at<uint32_t>(tag, 0));
    if (entry_size < sizeof(Entry) || entry_size % 8 != 0) return Error(EINVAL);
    Bytes entries = tag.subspan(8 <= tag.size() ? 8 : tag.size());
    for (; entries.size() >= entry_size; entries = entries.subspan(entry_size)) {
        Entry entry = TRY(read_at<Entry>(entries, 0));
        TRY(add_range(out, entry.start, entry.length, entry.type));
    }
    return entries.empty() ? Result<void>() : Error(EINVAL);
}

Result<void> read_framebuffer(Bytes tag, BootInfo& out) {
    struct Header {
        uint64_t address;
        uint32_t pitch, width, height;
        uint8_t bits_per_pixel, type, reserved[2];
    };
    constexpr uint8_t kDirectColour = 1;  // 0: palette, 2: EGA text
    Header header = TRY(read_at<Header>(tag, 0));
    if (header.type != kDirectColour) return {};
    struct Colours {
        uint8_t red_shift, red_bits, green_shift, green_bits, blue_shift, blue_bits;
    };
    Colours colours = TRY(read_at<Colours>(tag, sizeof header));
    out.framebuffer = {header.address, header.pitch, header.width, header.height,
                       header.bits_per_pixel, colours.red_shift, colours.green_shift,
                       colours.blue_shift};
    return {};
}

Result<void> read_rsdp(Bytes tag, BootInfo& out) {
    constexpr size_t kAcpi1Size = 20;
    if (tag.size() < kAcpi1Size) return Error(EINVAL);
    size_t size = tag.size() < sizeof out.rsdp_copy ? tag.size() : sizeof out.rsdp_copy;
    // The newer one, whichever comes first.
    if (out.has_rsdp_copy && size <= kAcpi1Size) return {};
    memcpy(out.rsdp_copy, tag.data(), size);
    out.has_rsdp_copy = true;
    return {};
}

void read_command_line(Bytes tag, BootInfo& out) {
    size_t length = 0;
    while (length < tag.size() && length + 1 < kMaxCommandLine && tag[length] != 0) length++;
    memcpy(out.command_line, tag.data(), length);
    out.command_line[length] = '\0';
}

Result<void> read_tag(uint32_t type, Bytes tag, BootInfo& out) {
    switch (type) {
        case kTagCommandLine: read_command_line(tag, out); return {};
        case kTagModule: return read_module(tag, out);
        case kTagMemoryMap: return read_memory_map(tag, out);
        case kTagFramebuffer: return read_framebuffer(tag, out);
        case kTagAcpiOld:
        case kTagAcpiNew: return read_rsdp(tag, out);
        default: return {};
    }
}

// ---- PVH ----

struct StartInfo {
    uint32_t magic, version, flags, module_count;
    uint64_t modules, command_line, rsdp;
    uint64_t memory_map;  // these two from version 1 on
    uint32_t memory_map_entries, reserved;
};
struct PvhModule {
    uint64_t address, size, command_line, reserved;
};
struct PvhRange {
    uint64_t start, length;
    uint32_t type, reserved;
};

template <typename T>
Result<T> read_physical(PhysicalReader read, PhysAddr address, size_t size = sizeof(T)) {
    const void* from = read(address, size);
    if (from == nullptr) return Error(EINVAL);
    T value{};
    memcpy(&value, from, size);
    return value;
}

Result<void> read_pvh_command_line(PhysAddr address, PhysicalReader read, BootInfo& out) {
    size_t length = 0;
    for (; length + 1 < kMaxCommandLine; length++) {
        char c = TRY(read_physical<char>(read, address + length));
        if (c == '\0') break;
        out.command_line[length] = c;
    }
    out.command_line[length] = '\0';
    return {};
}

// ---- Usable memory ----

uint64_t round_up_clamped(uint64_t x) {
    return x > kHighest ? kHighest : round_up(x, kPageSize);
}

}  // namespace

Result<void> parse_multiboot2(std::span<const uint8_t> block, PhysAddr physical,
                              BootInfo& out) {
    out = BootInfo{};
    out.loader = "multiboot2";
    uint32_t total = TRY(read_at<uint32_t>(block, 0));
    if (total < 8 || total > block.size()) return Error(EINVAL);
    block = block.first(total);
    out.info_start = physical;
    out.info_end = physical + total;

    size_t offset = 8;
    for (;;) {
        uint32_t type = TRY(read_at<uint32_t>(block, offset));
        uint32_t size = TRY(read_at<uint32_t>(block, offset + 4));
        if (size < 8 || size > block.size() - offset) return Error(EINVAL);
        if (type == kTagEnd) return {};
        TRY(read_tag(type, block.subspan(offset + 8, size - 8), out));
        // The size leaves out the padding to the next tag (spec 3.6).
        offset += round_up(size, 8);
    }
}

Result<void> parse_pvh(PhysAddr start, PhysicalReader read, BootInfo& out) {
    out = BootInfo{};
    out.loader = "PVH";
    constexpr size_t kVersion0Size = offsetof(StartInfo, memory_map);
    StartInfo info = TRY(read_physical<StartInfo>(read, start, kVersion0Size));
    if (info.magic != kPvhMagic) return Error(EINVAL);
    // Version 0 has no memory map, and we have no other way to learn one.
    if (info.version < 1) return Error(EINVAL);
    info = TRY(read_physical<StartInfo>(read, start));
    out.info_start = start;
    out.info_end = start + sizeof info;
    out.rsdp = info.rsdp;
    if (info.command_line != 0) TRY(read_pvh_command_line(info.command_line, read, out));
    if (info.module_count > 0) {
        PvhModule module = TRY(read_physical<PvhModule>(read, info.modules));
        if (module.address + module.size < module.address) return Error(EINVAL);
        out.initramfs_start = module.address;
        out.initramfs_end = module.address + module.size;
    }
    for (uint32_t i = 0; i < info.memory_map_entries; i++) {
        PvhRange range =
            TRY(read_physical<PvhRange>(read, info.memory_map + i * sizeof(PvhRange)));
        TRY(add_range(out, range.start, range.length, range.type));
    }
    return {};
}

// Cuts physical memory at every boundary of any range, rounded the safe way, and keeps the
// pieces that lie in an available range and touch nothing else. A piece lies wholly inside
// or wholly outside of each range, so one test a range is enough; overlaps, any order and
// duplicates need no cases of their own.
size_t usable_memory(const BootInfo& info, PhysAddr kernel_start, PhysAddr kernel_end,
                     std::span<MemoryRange> out) {
    constexpr PhysAddr kLowMemory = 1024 * 1024;  // BIOS data, the SMP trampoline, page 0
    MemoryRange ranges[kMaxMemoryRanges + 4];
    size_t range_count = 0;
    auto add = [&](PhysAddr start, PhysAddr end, MemoryType type) {
        if (start < end) ranges[range_count++] = {start, end, type};
    };
    auto take = [&](PhysAddr start, PhysAddr end) {
        if (start >= end) return;
        add(round_down(start, kPageSize), round_up_clamped(end), MemoryType::Reserved);
    };
    take(0, kLowMemory);
    take(kernel_start, kernel_end);
    take(info.initramfs_start, info.initramfs_end);
    take(info.info_start, info.info_end);
    for (const MemoryRange& range : std::span(info.memory, info.memory_count)) {
        if (range.type == MemoryType::Available)
            add(round_up_clamped(range.start), round_down(range.end, kPageSize), range.type);
        else take(range.start, range.end);
    }

    uint64_t cuts[2 * (kMaxMemoryRanges + 4)];
    for (size_t i = 0; i < range_count; i++) {
        cuts[2 * i] = ranges[i].start;
        cuts[2 * i + 1] = ranges[i].end;
    }
    std::sort(cuts, cuts + 2 * range_count);

    size_t count = 0;
    for (size_t i = 0; i + 1 < 2 * range_count; i++) {
        uint64_t start = cuts[i], end = cuts[i + 1];
        bool available = false, taken = start == end;
        for (const MemoryRange& range : std::span(ranges, range_count)) {
            if (range.start > start || range.end < end) continue;
            (range.type == MemoryType::Available ? available : taken) = true;
        }
        if (!available || taken) continue;
        if (count > 0 && out[count - 1].end == start) out[count - 1].end = end;
        else if (count < out.size()) out[count++] = {start, end, MemoryType::Available};
    }
    return count;
}
