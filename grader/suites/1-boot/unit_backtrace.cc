// Lab 1, backtrace.cc on the host: the stack walk and the symbol search.
#include <gtest/gtest.h>

#include <array>

#include "kernel/arch/backtrace.h"

namespace {

const std::array<Symbol, 3> kTable = {{{0x1000, "first"}, {0x1010, "second"}, {0x2000, nullptr}}};

// A stack of frames; the walker may read only inside it.
struct Stack {
    uint64_t words[64] = {};
};
Stack stack;

bool readable(VirtAddr frame) {
    auto base = reinterpret_cast<VirtAddr>(&stack);
    return frame >= base && frame + 16 <= base + sizeof stack;
}

VirtAddr at(int word) { return reinterpret_cast<VirtAddr>(&stack.words[word]); }

// Frames at words 0, 8, 16 with the return addresses 100, 101, 102.
void three_frames() {
    stack = {};
    for (int i = 0; i < 3; ++i) {
        stack.words[i * 8] = i < 2 ? at(i * 8 + 8) : 0;
        stack.words[i * 8 + 1] = 100u + static_cast<unsigned>(i);
    }
}

}  // namespace

TEST(Backtrace, finds_the_symbol_that_covers_an_address) {
    EXPECT_STREQ(find_symbol(kTable, 0x1000).name, "first");
    EXPECT_STREQ(find_symbol(kTable, 0x100f).name, "first");
    EXPECT_EQ(find_symbol(kTable, 0x100f).offset, 0xfu);
    EXPECT_STREQ(find_symbol(kTable, 0x1010).name, "second");
    EXPECT_STREQ(find_symbol(kTable, 0x1fff).name, "second");
}

TEST(Backtrace, knows_no_symbol_outside_the_table) {
    EXPECT_EQ(find_symbol(kTable, 0xfff).name, nullptr);
    EXPECT_EQ(find_symbol(kTable, 0x2000).name, nullptr);
    EXPECT_EQ(find_symbol({}, 0x1000).name, nullptr);
}

TEST(Backtrace, walks_to_the_end_of_the_chain) {
    three_frames();
    VirtAddr out[8] = {};
    ASSERT_EQ(walk_stack(at(0), readable, out), 3u);
    EXPECT_EQ(out[0], 100u);
    EXPECT_EQ(out[2], 102u);
}

TEST(Backtrace, stops_at_a_frame_that_cannot_be_right) {
    VirtAddr out[8] = {};
    three_frames();
    stack.words[8] = at(0);  // backwards: a loop
    EXPECT_EQ(walk_stack(at(0), readable, out), 2u) << "a loop";
    three_frames();
    stack.words[8] = at(16) + 4;
    EXPECT_EQ(walk_stack(at(0), readable, out), 2u) << "misaligned";
    three_frames();
    stack.words[8] = 0xdead000;
    EXPECT_EQ(walk_stack(at(0), readable, out), 2u) << "unreadable";
    EXPECT_EQ(walk_stack(0, readable, out), 0u) << "null";
}

TEST(Backtrace, writes_no_more_than_it_was_given_room_for) {
    three_frames();
    VirtAddr out[3] = {1, 2, 77};
    EXPECT_EQ(walk_stack(at(0), readable, std::span<VirtAddr>(out, 2)), 2u);
    EXPECT_EQ(out[2], 77u);
}
