// Folded stacks and their picture.
#include "grader/lib/flame.h"

#include <gtest/gtest.h>

constexpr char kFolded[] =
    "main;f;g 3\n"
    "main;f 2\n"
    "no stack\n"
    "main;h(int, std::span<char>);? 4\n"
    "other;[unknown] 1\n";

TEST(Flame, a_frame_has_what_its_callees_have) {
    FlameFrame root = flame_tree(kFolded);
    EXPECT_EQ(root.samples, 10u);
    ASSERT_EQ(root.callees.size(), 2u);
    const FlameFrame& main = root.callees.at("main");
    EXPECT_EQ(main.samples, 9u);
    EXPECT_EQ(main.callees.at("f").samples, 5u);
    EXPECT_EQ(main.callees.at("f").callees.at("g").samples, 3u);
    EXPECT_EQ(main.callees.at("h(int, std::span<char>)").samples, 4u);
}

TEST(Flame, counts_samples_whose_leaf_has_a_name) {
    EXPECT_DOUBLE_EQ(flame_named_percent(kFolded), 50);
    EXPECT_DOUBLE_EQ(flame_named_percent(""), 0);
}

TEST(Flame, draws_widths_by_samples) {
    std::string svg = flame_svg(flame_tree(kFolded), "<title>");
    EXPECT_TRUE(svg.starts_with("<svg ")) << svg.substr(0, 100);
    EXPECT_NE(svg.find("&lt;title&gt;"), svg.npos);
    EXPECT_NE(svg.find("<title>f (5 samples, 50.00%)</title>"), svg.npos);
    EXPECT_NE(svg.find("h(int, std::span&lt;char&gt;) (4 samples, 40.00%)"), svg.npos);
    EXPECT_NE(svg.find("width=\"590.00\""), svg.npos) << "half of the picture for f";
    EXPECT_EQ(svg.find("no stack"), svg.npos);
}
