// Lab 1, bootinfo.cc on the host: blocks as loaders write them, blocks as nobody should
// write them, and the RAM that is left. Every block lies in memory of exactly its size, so
// that AddressSanitizer sees a read beyond it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "kernel/arch/bootinfo.h"

namespace {

using Bytes = std::vector<uint8_t>;

void put(Bytes& out, const void* data, size_t size) {
    const auto* bytes = static_cast<const uint8_t*>(data);
    out.insert(out.end(), bytes, bytes + size);
}
template <typename... T>
void put32(Bytes& out, T... values) {
    for (uint32_t value : {static_cast<uint32_t>(values)...}) put(out, &value, 4);
}
void put64(Bytes& out, uint64_t value) { put(out, &value, 8); }

// ---- Multiboot2 ----

struct Range {
    uint64_t start, length;
    uint32_t type;
};

// Builds an information block tag by tag (spec 3.6).
class Block {
  public:
    Block& tag(uint32_t type, const Bytes& content) {
        put32(bytes_, type, 8 + content.size());
        put(bytes_, content.data(), content.size());
        // What is between the tags is nobody's: not zero here.
        while (bytes_.size() % 8 != 0) bytes_.push_back(0xee);
        return *this;
    }
    Block& command_line(const std::string& text) {
        Bytes content(text.begin(), text.end());
        content.push_back(0);
        return tag(1, content);
    }
    Block& module(uint32_t start, uint32_t end, const std::string& name = "initramfs") {
        Bytes content;
        put32(content, start, end);
        put(content, name.c_str(), name.size() + 1);
        return tag(3, content);
    }
    Block& memory(const std::vector<Range>& ranges, uint32_t entry_size = 24) {
        Bytes content;
        put32(content, entry_size, 0);
        for (const Range& range : ranges) {
            put64(content, range.start);
            put64(content, range.length);
            put32(content, range.type, 0);
            // Fields of a later version: look like a type and must not be taken for one.
            for (uint32_t i = 24; i < entry_size; ++i) content.push_back(1);
        }
        return tag(6, content);
    }
    Block& rsdp(uint32_t type, size_t size, uint8_t fill) {
        Bytes content(size, fill);
        memcpy(content.data(), "RSD PTR ", 8);
        return tag(type, content);
    }
    Block& framebuffer(uint64_t address, uint8_t type) {
        Bytes content;
        put64(content, address);
        put32(content, 4096, 1024, 768);
        for (uint8_t byte : {32, int(type), 0, 0, 16, 8, 8, 8, 0, 8}) content.push_back(byte);
        return tag(8, content);
    }
    Bytes without_end() const {
        Bytes all;
        put32(all, 8 + bytes_.size(), 0);
        put(all, bytes_.data(), bytes_.size());
        return all;
    }
    Bytes end() const {
        Bytes all = without_end();
        put32(all, 0, 8);
        auto total = static_cast<uint32_t>(all.size());
        memcpy(all.data(), &total, 4);
        return all;
    }

  private:
    Bytes bytes_;
};

struct Parsed {
    bool ok;
    std::unique_ptr<BootInfo> info;
};

// Parses a copy that has no byte to spare.
Parsed parse(const Bytes& block) {
    auto info = std::make_unique<BootInfo>();
    memset(static_cast<void*>(info.get()), 0x5a, sizeof *info);
    std::unique_ptr<uint8_t[]> exact(new uint8_t[block.size()]);
    std::copy(block.begin(), block.end(), exact.get());
    bool ok = parse_multiboot2({exact.get(), block.size()}, 0x10000, *info).ok();
    return {ok, std::move(info)};
}

void set32(Bytes& bytes, size_t offset, uint32_t value) {
    memcpy(bytes.data() + offset, &value, 4);
}

void expect_range(const MemoryRange& got, uint64_t start, uint64_t end, MemoryType type) {
    EXPECT_EQ(got.start, start);
    EXPECT_EQ(got.end, end);
    EXPECT_EQ(got.type, type);
}

// A block of the usual shape, for tests that damage it.
Block usual() {
    return Block()
        .command_line("loglevel=7")
        .module(0x200000, 0x345678)
        .memory({{0, 0x9fc00, 1}, {0x9fc00, 0x400, 2}, {0x100000, 0x7ee0000, 1}})
        .rsdp(14, 20, 1);
}

}  // namespace

TEST(Bootinfo, tags_are_stepped_by_eight) {
    // Command lines of every length modulo 8: the next tag begins at the next multiple of 8.
    for (size_t length = 0; length < 17; ++length) {
        std::string text(length, 'x');
        Parsed parsed = parse(Block()
                                  .tag(99, Bytes(length, 0xff))  // an unknown tag is skipped
                                  .command_line(text)
                                  .module(0x5000, 0x6000)
                                  .memory({{0x100000, 0x1000, 1}})
                                  .end());
        ASSERT_TRUE(parsed.ok) << "a good block, command line of " << length << " bytes";
        EXPECT_EQ(parsed.info->command_line, text);
        EXPECT_EQ(parsed.info->initramfs_start, 0x5000u)
            << "the module after a command line of " << length << " bytes";
        EXPECT_EQ(parsed.info->memory_count, 1u);
    }
}

TEST(Bootinfo, everything_the_loader_said_is_kept) {
    Bytes block = usual().module(0x900000, 0x900010, "second").framebuffer(0xfd000000, 1).end();
    Parsed parsed = parse(block);
    ASSERT_TRUE(parsed.ok);
    const BootInfo& info = *parsed.info;
    EXPECT_STREQ(info.loader, "multiboot2");
    EXPECT_STREQ(info.command_line, "loglevel=7");
    EXPECT_EQ(info.info_start, 0x10000u) << "the block itself must be kept until it is read";
    EXPECT_EQ(info.info_end, 0x10000u + block.size());
    EXPECT_EQ(info.initramfs_start, 0x200000u) << "the first module is the initramfs";
    EXPECT_EQ(info.initramfs_end, 0x345678u);
    ASSERT_EQ(info.memory_count, 3u);
    expect_range(info.memory[0], 0, 0x9fc00, MemoryType::Available);
    expect_range(info.memory[1], 0x9fc00, 0xa0000, MemoryType::Reserved);
    expect_range(info.memory[2], 0x100000, 0x7fe0000, MemoryType::Available);
    EXPECT_TRUE(info.has_rsdp_copy);
    EXPECT_EQ(info.framebuffer.address, 0xfd000000u);
    EXPECT_EQ(info.framebuffer.width, 1024u);
    EXPECT_EQ(info.framebuffer.red_shift, 16);

    for (uint32_t first : {14, 15}) {  // in either order, the newer RSDP counts
        Parsed both = parse(Block()
                                .rsdp(first, first == 14 ? 20 : 36, first)
                                .rsdp(29 - first, first == 14 ? 36 : 20, 29 - first)
                                .end());
        ASSERT_TRUE(both.ok && both.info->has_rsdp_copy);
        EXPECT_EQ(both.info->rsdp_copy[19], 15) << "the RSDP of ACPI 2.0 counts";
        EXPECT_EQ(both.info->rsdp_copy[35], 15) << "the RSDP of ACPI 2.0 has 36 bytes";
    }
    Parsed text_mode = parse(Block().framebuffer(0xb8000, 2).end());
    EXPECT_TRUE(text_mode.ok);
    EXPECT_EQ(text_mode.info->framebuffer.address, 0u) << "EGA text is no framebuffer for us";
}

TEST(Bootinfo, memory_map_entries_have_the_size_that_is_told) {
    for (uint32_t size : {24, 32, 40}) {
        Parsed parsed = parse(
            Block().memory({{0, 0x9f000, 1}, {0x100000, 0x3000, 3}, {0x200000, 0x1000, 4}}, size)
                .end());
        ASSERT_TRUE(parsed.ok) << "entries of " << size << " bytes";
        ASSERT_EQ(parsed.info->memory_count, 3u) << "entries of " << size << " bytes";
        expect_range(parsed.info->memory[1], 0x100000, 0x103000, MemoryType::AcpiReclaimable);
        expect_range(parsed.info->memory[2], 0x200000, 0x201000, MemoryType::AcpiNvs);
    }
    for (uint32_t size : {0, 8, 16}) {
        EXPECT_FALSE(parse(Block().memory({}, size).tag(6, Bytes(24, 0)).end()).ok)
            << "entries of " << size << " bytes cannot hold what they must";
    }
}

TEST(Bootinfo, damaged_blocks_are_refused) {
    Bytes good = usual().end();
    ASSERT_TRUE(parse(good).ok);
    // Cut off anywhere, and saying so or not.
    for (size_t size = 0; size < good.size(); ++size) {
        Bytes cut(good.begin(), good.begin() + static_cast<long>(size));
        EXPECT_FALSE(parse(cut).ok) << "cut to " << size << " of " << good.size() << " bytes";
        if (size >= 8) set32(cut, 0, static_cast<uint32_t>(size));
        EXPECT_FALSE(parse(cut).ok) << "total size and block are " << size << " bytes";
    }
    EXPECT_FALSE(parse(usual().without_end()).ok) << "there is no end tag";
    for (uint32_t size : {0u, 1u, 7u, 0x7fffffffu, 0xfffffff8u, 0xffffffffu}) {
        Bytes bad = good;
        set32(bad, 12, size);  // of the first tag
        EXPECT_FALSE(parse(bad).ok) << "a tag of " << size << " bytes";
        bad = good;
        set32(bad, 0, size);
        EXPECT_FALSE(parse(bad).ok) << "a total of " << size << " bytes";
    }
    EXPECT_FALSE(parse(Block().module(0x6000, 0x5000).end()).ok) << "a module that ends first";
    // Whatever a block contains, the parser comes back and reads nothing else (ASan looks).
    std::mt19937_64 random(1);
    for (int i = 0; i < 3000; ++i) {
        Bytes wild = good;
        for (int change = 0; change < 4; ++change) {
            size_t at = random() % wild.size();
            wild[at] = static_cast<uint8_t>(random() % 3 == 0 ? 0xff : random());
        }
        set32(wild, 0, static_cast<uint32_t>(wild.size()));
        (void)parse(wild);
    }
}

TEST(Bootinfo, range_ends_do_not_overflow) {
    Parsed parsed = parse(
        Block().memory({{0x100000, ~0ull, 1}, {~0ull - 0x2fff, 0x3000, 2}, {0x1000, 0, 1}}).end());
    ASSERT_TRUE(parsed.ok);
    constexpr uint64_t kLastPage = ~0ull << 12;
    ASSERT_GE(parsed.info->memory_count, 2u);
    EXPECT_EQ(parsed.info->memory[0].end, kLastPage)
        << "start + length passes 2^64: the range ends at the last page, not below its start";
    EXPECT_EQ(parsed.info->memory[1].end, kLastPage);

    std::vector<Range> many(kMaxMemoryRanges + 5, Range{0x100000, 0x1000, 1});
    EXPECT_TRUE(parse(Block().memory(many).end()).ok) << "too much free memory is no mistake";
    many.push_back({0x200000, 0x1000, 2});
    EXPECT_FALSE(parse(Block().memory(many).end()).ok)
        << "a reserved range that is forgotten would be handed out";
    Parsed full = parse(
        Block().memory(std::vector<Range>(kMaxMemoryRanges, Range{0x3000, 0x1000, 2})).end());
    EXPECT_TRUE(full.ok && full.info->memory_count == kMaxMemoryRanges) << "exactly full";
}

// ---- PVH ----

namespace {

// Physical memory of a few pieces, each of exactly its size.
std::map<PhysAddr, Bytes> physical;

const void* read_piece(PhysAddr address, size_t size) {
    for (const auto& [start, bytes] : physical) {
        if (address >= start && address - start <= bytes.size() &&
            size <= bytes.size() - (address - start)) {
            return bytes.data() + (address - start);
        }
    }
    return nullptr;
}

constexpr PhysAddr kStartInfo = 0x1004, kModules = 0x2004, kMap = 0x3004, kText = 0x4001;

void usual_pvh(uint32_t version = 1, uint32_t magic = kPvhMagic) {
    physical.clear();
    Bytes& info = physical[kStartInfo];
    put32(info, magic, version, 0, 1);
    put64(info, kModules);
    put64(info, kText);
    put64(info, 0xf5a0);
    if (version > 0) {
        put64(info, kMap);
        put32(info, 2, 0);
    }
    Bytes& modules = physical[kModules];
    for (uint64_t word : {0x7000000ull, 0x12345ull, 0ull, 0ull}) put64(modules, word);
    Bytes& map = physical[kMap];
    for (uint64_t word : {0ull, 0x9fc00ull, 1ull, 0x100000ull, 0x7f00000ull, 1ull}) put64(map, word);
    const char text[] = "maxcpus=2";
    put(physical[kText], text, sizeof text);
}

}  // namespace

TEST(Bootinfo, pvh_is_read_through_the_reader) {
    usual_pvh();
    auto info = std::make_unique<BootInfo>();
    memset(static_cast<void*>(info.get()), 0x5a, sizeof *info);
    ASSERT_TRUE(parse_pvh(kStartInfo, read_piece, *info).ok());
    EXPECT_STREQ(info->loader, "PVH");
    EXPECT_STREQ(info->command_line, "maxcpus=2");
    EXPECT_EQ(info->initramfs_start, 0x7000000u);
    EXPECT_EQ(info->initramfs_end, 0x7012345u);
    EXPECT_EQ(info->rsdp, 0xf5a0u);
    ASSERT_EQ(info->memory_count, 2u);
    expect_range(info->memory[1], 0x100000, 0x8000000, MemoryType::Available);
    EXPECT_EQ(info->info_start, kStartInfo);

    for (PhysAddr missing : {kStartInfo, kModules, kMap, kText}) {
        usual_pvh();
        physical[missing].pop_back();
        EXPECT_FALSE(parse_pvh(kStartInfo, read_piece, *info).ok())
            << std::hex << "what is at " << missing << " cannot be read to its end";
    }
    usual_pvh(1, 0x12345678);
    EXPECT_FALSE(parse_pvh(kStartInfo, read_piece, *info).ok()) << "a wrong magic number";
    usual_pvh(0);
    EXPECT_FALSE(parse_pvh(kStartInfo, read_piece, *info).ok()) << "version 0 has no memory map";
    usual_pvh();
    physical[kText].assign(5000, 'y');  // longer than the room for it
    ASSERT_TRUE(parse_pvh(kStartInfo, read_piece, *info).ok());
    EXPECT_EQ(strlen(info->command_line), kMaxCommandLine - 1) << "cut, and terminated";
}

// ---- Usable memory ----

namespace {

constexpr uint64_t kMiB = 1024 * 1024;

struct Machine {
    std::unique_ptr<BootInfo> info = std::make_unique<BootInfo>();
    PhysAddr kernel_start = 0, kernel_end = 0;

    void add(uint64_t start, uint64_t end, MemoryType type = MemoryType::Available) {
        info->memory[info->memory_count++] = {start, end, type};
    }
    std::vector<MemoryRange> usable(size_t room = 128) const {
        std::vector<MemoryRange> out(room);
        size_t count = usable_memory(*info, kernel_start, kernel_end, out);
        EXPECT_LE(count, room);
        out.resize(std::min(count, room));
        return out;
    }
};

// In words; ranges that touch count as one, the contract leaves that open.
std::string words(const std::vector<MemoryRange>& ranges) {
    std::string text;
    for (size_t i = 0; i < ranges.size(); ++i) {
        uint64_t start = ranges[i].start;
        while (i + 1 < ranges.size() && ranges[i].end == ranges[i + 1].start) ++i;
        char piece[60];
        snprintf(piece, sizeof piece, "[%#lx,%#lx) ", start, ranges[i].end);
        text += piece;
    }
    return text.empty() ? "nothing" : text;
}

std::string usable_words(const Machine& machine) { return words(machine.usable()); }

}  // namespace

TEST(UsableMemory, is_rounded_inward_to_whole_pages) {
    Machine machine;
    machine.add(0x200001, 0x204fff);
    machine.add(0x300fff, 0x301001);  // no whole page
    machine.add(0x400000, 0x401000);
    EXPECT_EQ(usable_words(machine), "[0x201000,0x204000) [0x400000,0x401000) ")
        << "only whole pages inside an available range are free";
}

TEST(UsableMemory, leaves_out_what_is_in_use) {
    Machine machine;
    machine.add(0, 0x9fc00);
    machine.add(0x100000, 64 * kMiB);
    machine.kernel_start = 0x100000;
    machine.kernel_end = 0x212345;
    machine.info->initramfs_start = 0x1000010;
    machine.info->initramfs_end = 0x1003001;
    machine.info->info_start = 0x2000ff8;
    machine.info->info_end = 0x2001008;
    EXPECT_EQ(usable_words(machine),
              "[0x213000,0x1000000) [0x1004000,0x2000000) [0x2002000,0x4000000) ")
        << "left out: below 1 MiB, the kernel image, the initramfs, the loader's block; "
           "each to whole pages";
}

TEST(UsableMemory, a_reserved_range_wins_over_an_available_one) {
    Machine machine;
    machine.add(2 * kMiB, 8 * kMiB);
    machine.add(3 * kMiB - 1, 3 * kMiB + 1, MemoryType::Reserved);
    machine.add(7 * kMiB, 12 * kMiB, MemoryType::AcpiNvs);
    machine.add(4 * kMiB, 5 * kMiB, MemoryType::Bad);
    machine.add(5 * kMiB, 6 * kMiB);  // a duplicate
    EXPECT_EQ(usable_words(machine),
              "[0x200000,0x2ff000) [0x301000,0x400000) [0x500000,0x700000) ");
}

// Random maps in a small space, page by page against the definition.
TEST(UsableMemory, agrees_with_the_definition_page_by_page) {
    std::mt19937_64 random(20260101);
    constexpr uint64_t kPages = 96, kBase = kMiB - 16 * 4096;
    for (int round = 0; round < 3000; ++round) {
        Machine machine;
        auto place = [&](uint64_t& start, uint64_t& end) {
            start = kBase + random() % (kPages * 4096);
            end = start + random() % (kPages * 1024);
            if (random() % 2) start &= ~0xfffull, end &= ~0xfffull;
            if (end < start) end = start;
        };
        uint64_t start, end;
        for (size_t i = random() % 12; i > 0; --i) {
            place(start, end);
            machine.add(start, end, random() % 3 ? MemoryType::Available : MemoryType::Reserved);
        }
        place(machine.kernel_start, machine.kernel_end);
        place(machine.info->initramfs_start, machine.info->initramfs_end);
        place(machine.info->info_start, machine.info->info_end);

        std::vector<MemoryRange> got = machine.usable();
        for (size_t i = 0; i < got.size(); ++i) {
            ASSERT_LT(got[i].start, got[i].end) << "an empty range: " << words(got);
            ASSERT_EQ((got[i].start | got[i].end) % 4096, 0u) << "not whole pages: " << words(got);
            ASSERT_TRUE(i == 0 || got[i - 1].end <= got[i].start)
                << "not sorted or not disjoint: " << words(got);
        }
        for (uint64_t page = kBase; page < kBase + 2 * kPages * 4096; page += 4096) {
            auto overlaps = [page](uint64_t from, uint64_t to) {
                return from < to && from < page + 4096 && page < to;
            };
            bool available = false, taken = page < kMiB;
            for (size_t i = 0; i < machine.info->memory_count; ++i) {
                const MemoryRange& range = machine.info->memory[i];
                if (range.type != MemoryType::Available) taken |= overlaps(range.start, range.end);
                else available |= range.start <= page && page + 4096 <= range.end;
            }
            taken |= overlaps(machine.kernel_start, machine.kernel_end);
            taken |= overlaps(machine.info->initramfs_start, machine.info->initramfs_end);
            taken |= overlaps(machine.info->info_start, machine.info->info_end);
            bool free = std::any_of(got.begin(), got.end(), [page](const MemoryRange& range) {
                return range.start <= page && page < range.end;
            });
            ASSERT_EQ(free, available && !taken)
                << std::hex << "page " << page << (free ? " was given out" : " was lost")
                << "; the answer was " << words(got);
        }
        std::vector<MemoryRange> few = machine.usable(2);
        ASSERT_LE(few.size(), 2u);
    }
}
