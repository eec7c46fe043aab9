// Lab 1, backtrace.cc on the host: the stack walk and the symbol search.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <array>
#include <vector>

#include "kernel/arch/panic.h"

namespace {

// A stack in the middle of three pages; the outer two cannot be read at all, so a walker
// that looks before it asks dies here as it would in a panic.
class Stack {
  public:
    static constexpr size_t kPage = 4096, kWords = kPage / 8;

    Stack() {
        void* pages = mmap(nullptr, 3 * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        words_ = reinterpret_cast<uint64_t*>(static_cast<char*>(pages) + kPage);
        mprotect(words_, kPage, PROT_READ | PROT_WRITE);
        start = at(0);
    }
    ~Stack() { munmap(reinterpret_cast<char*>(words_) - kPage, 3 * kPage); }
    VirtAddr at(size_t word) const { return reinterpret_cast<VirtAddr>(words_ + word); }
    uint64_t& operator[](size_t word) { return words_[word]; }

    // Frames of `count` functions, eight words each, from `word` outwards; the last is
    // followed by a null frame pointer. Return addresses are 0x1001, 0x1002, ...
    void frames(size_t word, size_t count) {
        for (size_t i = 0; i < count; ++i, word += 8) {
            words_[word] = i + 1 < count ? at(word + 8) : 0;
            words_[word + 1] = 0x1001 + i;
        }
    }

    static inline VirtAddr start;
    static inline size_t asked;
    static bool readable(VirtAddr frame) {
        ++asked;
        return frame >= start && frame <= start + kPage - 16;
    }

  private:
    uint64_t* words_;
};

std::vector<VirtAddr> walk(VirtAddr rbp, size_t room = 16) {
    std::vector<VirtAddr> out(room, 0xdead);
    size_t count = walk_stack(rbp, Stack::readable, out);
    EXPECT_LE(count, room) << "more return addresses than there was room for";
    out.resize(std::min(count, room));
    return out;
}

const std::array<Symbol, 4> kTable = {
    {{0x1000, "first"}, {0x1010, "second"}, {0x1011, "one_byte"}, {0x2000, nullptr}}};

}  // namespace

TEST(Backtrace, finds_the_symbol_that_covers_an_address) {
    struct {
        uint64_t address, offset;
        const char* name;
    } const rows[] = {{0x1000, 0, "first"},      {0x100f, 15, "first"}, {0x1010, 0, "second"},
                      {0x1011, 0, "one_byte"}, {0x1fff, 0xfee, "one_byte"}};
    for (const auto& row : rows) {
        SymbolMatch match = find_symbol(kTable, row.address);
        ASSERT_NE(match.name, nullptr) << std::hex << "no symbol for " << row.address;
        EXPECT_STREQ(match.name, row.name) << std::hex << "for address " << row.address;
        EXPECT_EQ(match.offset, row.offset) << std::hex << "for address " << row.address;
    }
    // Every size of table, every place in it: binary searches fail at the edges.
    for (size_t size = 1; size < 20; ++size) {
        std::vector<Symbol> table;
        for (size_t i = 0; i < size; ++i) table.push_back({0x100 * (i + 1), "function"});
        for (size_t i = 0; i < size; ++i) {
            ASSERT_EQ(find_symbol(table, 0x100 * (i + 1) + 7).offset, 7u)
                << "symbol " << i << " of a table of " << size;
        }
    }
}

TEST(Backtrace, knows_no_symbol_outside_the_table) {
    EXPECT_EQ(find_symbol(kTable, 0xfff).name, nullptr) << "below the first symbol";
    EXPECT_EQ(find_symbol(kTable, 0x2000).name, nullptr) << "at the entry without a name";
    EXPECT_EQ(find_symbol(kTable, ~0ull).name, nullptr) << "behind the entry without a name";
    EXPECT_EQ(find_symbol({}, 0x1000).name, nullptr) << "an empty table (the first link)";
}

TEST(Backtrace, walks_to_the_end_of_the_chain) {
    Stack stack;
    stack.frames(3, 5);
    EXPECT_EQ(walk(stack.at(3)),
              (std::vector<VirtAddr>{0x1001, 0x1002, 0x1003, 0x1004, 0x1005}))
        << "the return addresses of five frames, innermost first";
    // A frame at the very end of what can be read belongs to the chain.
    stack[Stack::kWords - 2] = 0;
    stack[Stack::kWords - 1] = 0x1abc;
    EXPECT_EQ(walk(stack.at(Stack::kWords - 2)), std::vector<VirtAddr>{0x1abc});
}

TEST(Backtrace, stops_at_a_frame_that_cannot_be_right) {
    Stack stack;
    EXPECT_TRUE(walk(0).empty()) << "a null frame pointer is no frame";

    for (uint64_t off : {1, 2, 4}) {
        stack.frames(8, 3);
        stack[16] += off;  // the second frame's link
        EXPECT_EQ(walk(stack.at(8)), (std::vector<VirtAddr>{0x1001, 0x1002}))
            << "the third frame pointer is misaligned by " << off;
    }
    struct {
        const char* what;
        VirtAddr link;
    } const broken[] = {
        {"points at itself (the walk would never end)", stack.at(16)},
        {"points inwards (a cycle)", stack.at(8)},
        {"is a small number", 0x30},
        {"is not canonical", 0x0123456789abcdf0},
        {"points into the page before the stack", stack.at(0) - 16},
        {"points behind the stack", stack.at(Stack::kWords)},
        {"has only its first half on the stack", stack.at(Stack::kWords - 1)},
        {"is the highest multiple of 8", ~0ull - 7},
    };
    for (const auto& row : broken) {
        stack.frames(8, 3);
        stack[16] = row.link;
        EXPECT_EQ(walk(stack.at(8)), (std::vector<VirtAddr>{0x1001, 0x1002}))
            << "the third frame pointer " << row.what;
    }
}

TEST(Backtrace, writes_no_more_than_it_was_given_room_for) {
    Stack stack;
    stack.frames(0, 40);
    for (size_t room : {0, 1, 7, 39, 40}) {
        EXPECT_EQ(walk(stack.at(0), room).size(), room);
    }
}
