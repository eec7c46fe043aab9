// The text of paths (kernel/fs/path.h).
//
//   g++ -std=c++20 -g -fsanitize=address,undefined -I.
//   grader/suites/host/common/path_test.cc
//       kernel/fs/path.cc kernel/base/host_panic.cc -lgtest -lgtest_main -pthread
#include "kernel/fs/path.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

std::vector<std::string> components(std::string_view path) {
    std::vector<std::string> all;
    PathCursor cursor(path);
    for (;;) {
        auto name = cursor.next();
        if (!name.ok()) return {"error"};
        if (name.value().empty()) return all;
        all.emplace_back(name.value());
    }
}

using Names = std::vector<std::string>;

TEST(Path, ComponentsAreWhatLiesBetweenSlashes) {
    EXPECT_EQ(components("/usr/bin/env"), (Names{"usr", "bin", "env"}));
    EXPECT_EQ(components("a/./../b"), (Names{"a", ".", "..", "b"}));
    EXPECT_EQ(components("//a///b//"), (Names{"a", "b"}));
    EXPECT_EQ(components("/"), Names{});
    EXPECT_EQ(components(""), Names{});
}

TEST(Path, NamesUpTo255BytesAreTaken) {
    std::string longest(kMaxName, 'n');
    EXPECT_EQ(components("/" + longest + "/x"), (Names{longest, "x"}));
    EXPECT_EQ(components(longest + "n"), Names{"error"});
}

TEST(Path, TheCursorKnowsWhetherASlashFollows) {
    PathCursor plain("a/b");
    ASSERT_EQ(plain.next().value(), "a");
    EXPECT_TRUE(plain.trailing_slash());
    EXPECT_EQ(plain.rest(), "/b");
    ASSERT_EQ(plain.next().value(), "b");
    EXPECT_FALSE(plain.trailing_slash());
    PathCursor slash("a//");
    ASSERT_EQ(slash.next().value(), "a");
    EXPECT_TRUE(slash.trailing_slash());
}

TEST(Path, SplitCutsTheLastComponentOff) {
    struct Case {
        const char *path, *parent, *name;
        bool slash;
    };
    for (const Case& c : {Case{"a", ".", "a", false}, Case{"/a", "/", "a", false},
                          Case{"a/b", "a/", "b", false}, Case{"/a/b", "/a/", "b", false},
                          Case{"a/", ".", "a", true}, Case{"/a//", "/", "a", true},
                          Case{"a//b///", "a//", "b", true}, Case{"/", "/", "", true},
                          Case{"///", "/", "", true}, Case{".", ".", ".", false},
                          Case{"a/..", "a/", "..", false}, Case{"", ".", "", false}}) {
        PathSplit split = path_split(c.path);
        EXPECT_EQ(split.parent, c.parent) << c.path;
        EXPECT_EQ(split.name, c.name) << c.path;
        EXPECT_EQ(split.trailing_slash, c.slash) << c.path;
    }
}

// Puts `target` in front of `rest`, as the walk does with a symlink.
Result<std::string_view> expand(PathExpansion& expansion, std::string_view target,
                                std::string_view rest) {
    auto room = TRY(expansion.room(rest));
    if (room.size() <= target.size()) return Error(ENAMETOOLONG);
    std::copy(target.begin(), target.end(), room.data());
    return expansion.commit(target.size());
}

TEST(Path, ATargetComesInFrontOfTheRest) {
    std::vector<char> buffer(64);
    PathExpansion expansion(buffer);
    EXPECT_EQ(expand(expansion, "/usr/lib", "/x/y").value(), "/usr/lib/x/y");
}

TEST(Path, ExpansionsNest) {
    std::vector<char> buffer(64);
    PathExpansion expansion(buffer);
    std::string_view text = expand(expansion, "one/two", "/end").value();
    PathCursor cursor(text);
    ASSERT_EQ(cursor.next().value(), "one");
    text = expand(expansion, "a/very/much/longer/target", cursor.rest()).value();
    EXPECT_EQ(text, "a/very/much/longer/target/two/end");
    cursor = PathCursor(text);
    for (int i = 0; i < 4; i++) ASSERT_TRUE(cursor.next().ok());
    EXPECT_EQ(expand(expansion, "z", cursor.rest()).value(), "z/target/two/end");
}

TEST(Path, ConsumedTextMakesRoomForMore) {
    std::vector<char> buffer(16);
    PathExpansion expansion(buffer);
    std::string_view rest = "/tail";
    for (int i = 0; i < 100; i++) {
        std::string_view text = expand(expansion, "l", rest).value();
        PathCursor cursor(text);
        ASSERT_EQ(cursor.next().value(), "l");
        rest = cursor.rest();
        ASSERT_EQ(rest, "/tail");
    }
}

TEST(Path, AnExpansionThatDoesNotFitIsAnError) {
    std::vector<char> buffer(16);
    PathExpansion expansion(buffer);
    EXPECT_EQ(expand(expansion, "0123456789", "/abcdefg").error().number(), ENAMETOOLONG);
    EXPECT_EQ(expansion.room(std::string(17, 'x')).error().number(), ENAMETOOLONG);
    EXPECT_TRUE(expansion.room(std::string(16, 'x')).ok());
}

}  // namespace
