// Lab 1, the kernel file as the loaders see it: nothing boots here. What GRUB forgives today
// (a header that it finds by luck, a tag that it ignores) is judged by the specification.
#include <elf.h>

#include <cstring>

#include "grader/suites/suite.h"

namespace {

constexpr uint32_t kHeaderMagic = 0xe85250d6;
constexpr uint64_t kKernelBase = 0xffffffff80000000;

struct Image {
    std::string bytes = read_file(kernel_under_test());
    std::vector<Elf64_Phdr> segments;

    Image() {
        const auto& header = at<Elf64_Ehdr>(0);
        for (int i = 0; i < header.e_phnum; ++i) {
            segments.push_back(at<Elf64_Phdr>(header.e_phoff + sizeof(Elf64_Phdr) *
                                              static_cast<size_t>(i)));
        }
    }
    template <typename T>
    T at(size_t offset) const {
        if (offset + sizeof(T) > bytes.size()) stop_test("FAIL", "the kernel file is cut off");
        T value;
        memcpy(&value, bytes.data() + offset, sizeof value);
        return value;
    }
    // The multiboot2 header's place in the file, or npos: the first 32 KiB, by 8 bytes.
    size_t header() const {
        for (size_t offset = 0; offset + 16 <= std::min<size_t>(bytes.size(), 32768);
             offset += 8) {
            if (at<uint32_t>(offset) == kHeaderMagic) return offset;
        }
        return bytes.npos;
    }
    size_t need_header() const {
        size_t offset = header();
        if (offset != bytes.npos) return offset;
        std::string magic("\xd6\x50\x52\xe8");
        size_t elsewhere = bytes.find(magic);
        stop_test("FAIL", elsewhere == bytes.npos
                              ? "the kernel file has no multiboot2 header at all"
                              : "the multiboot2 header lies at " + hex(elsewhere) +
                                    " of the file: it must be 8-byte aligned and in the first "
                                    "32 KiB (multiboot2, 3.1.1)");
    }
    // Does `physical` lie in an executable segment of the file?
    bool is_code(uint64_t physical) const {
        for (const Elf64_Phdr& segment : segments) {
            if (segment.p_type == PT_LOAD && (segment.p_flags & PF_X) &&
                physical >= segment.p_paddr && physical - segment.p_paddr < segment.p_filesz) {
                return true;
            }
        }
        return false;
    }
};

}  // namespace

TEST(Image, multiboot2_header) {
    Image image;
    size_t offset = image.need_header();
    uint32_t architecture = image.at<uint32_t>(offset + 4);
    uint32_t length = image.at<uint32_t>(offset + 8);
    uint32_t checksum = image.at<uint32_t>(offset + 12);
    EXPECT_EQ(architecture, 0u) << "0 is 32-bit protected mode of i386";
    EXPECT_LE(offset + length, 32768u) << "the whole header must lie in the first 32 KiB";
    EXPECT_EQ(kHeaderMagic + architecture + length + checksum, 0u)
        << "magic, architecture, length and checksum must sum to zero (32 bits)";
}

TEST(Image, multiboot2_tags) {
    Image image;
    size_t header = image.need_header();
    size_t end = header + image.at<uint32_t>(header + 8), offset = header + 16;
    bool ended = false, entry = false, wants_memory_map = false;
    while (!ended) {
        ASSERT_LE(offset + 8, end) << "the header ends without an end tag (type 0, size 8)";
        auto type = image.at<uint16_t>(offset);
        auto size = image.at<uint32_t>(offset + 4);
        ASSERT_GE(size, 8u) << "a tag of type " << type << " is smaller than its own head";
        ASSERT_LE(offset + size, end) << "a tag of type " << type << " passes the header's end";
        if (type == 1) {
            for (size_t at = offset + 8; at + 4 <= offset + size; at += 4) {
                wants_memory_map |= image.at<uint32_t>(at) == 6;
            }
        }
        if (type == 3) {
            auto address = image.at<uint32_t>(offset + 8);
            entry = true;
            EXPECT_TRUE(image.is_code(address))
                << "the entry address " << hex(address)
                << " is not the physical address of code in the image";
        }
        ended = type == 0;
        EXPECT_TRUE(!ended || size == 8) << "the end tag's size is " << size << ", must be 8";
        offset += (size + 7) & ~7u;  // tags are 8-byte aligned
    }
    EXPECT_TRUE(entry) << "no entry address tag (3): GRUB would jump to the ELF entry, a "
                          "virtual address";
    EXPECT_TRUE(wants_memory_map) << "the information request does not name the memory map (6)";
}

TEST(Image, pvh_note) {
    Image image;
    bool found = false;
    for (const Elf64_Phdr& segment : image.segments) {
        if (segment.p_type != PT_NOTE) continue;
        for (size_t at = segment.p_offset; at + 12 <= segment.p_offset + segment.p_filesz;) {
            auto name_size = image.at<uint32_t>(at), size = image.at<uint32_t>(at + 4);
            auto type = image.at<uint32_t>(at + 8);
            size_t name = at + 12, content = name + ((name_size + 3) & ~3u);
            at = content + ((size + 3) & ~3u);
            if (type != 18 || image.bytes.compare(name, 4, "Xen\0", 4) != 0) continue;
            found = true;
            uint64_t entry = size >= 8 ? image.at<uint64_t>(content) : image.at<uint32_t>(content);
            EXPECT_TRUE(image.is_code(entry))
                << "XEN_ELFNOTE_PHYS32_ENTRY gives " << hex(entry)
                << ", which is not the physical address of code";
        }
    }
    EXPECT_TRUE(found) << "no PT_NOTE segment has a note \"Xen\" of type 18: qemu -kernel does "
                          "not find the entry";
}

TEST(Image, segments) {
    Image image;
    for (const Elf64_Phdr& segment : image.segments) {
        if (segment.p_type != PT_LOAD) continue;
        EXPECT_NE(segment.p_flags & (PF_W | PF_X), static_cast<uint32_t>(PF_W | PF_X))
            << "the segment at " << hex(segment.p_vaddr) << " is writable and executable";
        EXPECT_EQ(segment.p_vaddr - segment.p_paddr, kKernelBase)
            << "the segment at " << hex(segment.p_vaddr) << ": virtual and load address";
        EXPECT_EQ(segment.p_vaddr % 4096, 0u);
    }
}
