// The directory index of lab 7 (kernel/fs/dir_index.h), against a map.
#include "kernel/fs/dir_index.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace {

DirEntry* new_entry(const std::string& name) {
    auto* entry = new (std::malloc(sizeof(DirEntry) + name.size() + 1)) DirEntry{};
    entry->length = static_cast<uint16_t>(name.size());
    memcpy(entry->name, name.c_str(), name.size() + 1);
    return entry;
}

class DirIndexTest : public testing::Test {
  protected:
    void SetUp() override { dir_index_init(index_); }
    void TearDown() override {
        while (!model_.empty()) remove(model_.begin()->first);
        dir_index_destroy(index_);
    }
    DirEntry* insert(const std::string& name) {
        DirEntry* entry = new_entry(name);
        EXPECT_TRUE(dir_index_insert(index_, *entry).ok());
        model_[name] = entry;
        return entry;
    }
    void remove(const std::string& name) {
        DirEntry* entry = model_.at(name);
        dir_index_remove(index_, *entry);
        model_.erase(name);
        std::free(entry);
    }
    // The names from `position` on, at most `limit`; moves the position on.
    std::vector<std::string> list(uint64_t& position, size_t limit = ~size_t{0}) {
        std::vector<std::string> names;
        while (names.size() < limit) {
            DirEntry* entry = dir_index_next(index_, position);
            if (entry == nullptr) break;
            EXPECT_GE(entry->position, position);
            position = entry->position + 1;
            names.emplace_back(entry->text());
        }
        return names;
    }

    DirIndex index_;
    std::map<std::string, DirEntry*> model_;
};

TEST_F(DirIndexTest, FindsNothingInAnEmptyDirectory) {
    EXPECT_EQ(dir_index_find(index_, "a"), nullptr);
    EXPECT_EQ(dir_index_next(index_, 0), nullptr);
}

TEST_F(DirIndexTest, FindsWhatWasInserted) {
    DirEntry* a = insert("a");
    DirEntry* b = insert("b");
    EXPECT_EQ(dir_index_find(index_, "a"), a);
    EXPECT_EQ(dir_index_find(index_, "b"), b);
    EXPECT_EQ(dir_index_find(index_, "c"), nullptr);
}

TEST_F(DirIndexTest, TellsPrefixesApart) {
    for (const char* name : {"file", "file1", "file10", "fil", "eightchr", "eightchr9"})
        insert(name);
    for (const char* name : {"file", "file1", "file10", "fil", "eightchr", "eightchr9"})
        EXPECT_EQ(dir_index_find(index_, name), model_.at(name)) << name;
    EXPECT_EQ(dir_index_find(index_, "fi"), nullptr);
    EXPECT_EQ(dir_index_find(index_, "file100"), nullptr);
}

TEST_F(DirIndexTest, TakesNamesOfAnyBytesAndLength) {
    std::string longest(255, 'x'), odd = "\x01\xff \n*";
    insert(longest);
    insert(odd);
    EXPECT_EQ(dir_index_find(index_, longest), model_.at(longest));
    EXPECT_EQ(dir_index_find(index_, std::string(254, 'x')), nullptr);
    EXPECT_EQ(dir_index_find(index_, odd), model_.at(odd));
    // A name need not be followed by a NUL.
    EXPECT_EQ(dir_index_find(index_, std::string_view(longest).substr(0, 255)),
              model_.at(longest));
}

TEST_F(DirIndexTest, PositionsRiseAndAreNeverReused) {
    std::set<uint64_t> seen;
    uint64_t last = 0;
    for (int i = 0; i < 100; i++) {
        DirEntry* entry = insert("same");
        EXPECT_GE(entry->position, DirIndex::kFirstPosition);
        EXPECT_GT(entry->position, last);
        EXPECT_TRUE(seen.insert(entry->position).second);
        last = entry->position;
        remove("same");
        EXPECT_EQ(dir_index_find(index_, "same"), nullptr);
    }
}

TEST_F(DirIndexTest, ListsInTheOrderOfInsertion) {
    std::vector<std::string> names;
    for (int i = 0; i < 300; i++) names.push_back("n" + std::to_string(i * 7919 % 300));
    for (auto& name : names) insert(name);
    uint64_t position = 0;
    EXPECT_EQ(list(position), names);
}

TEST_F(DirIndexTest, AListingGoesOnWhileEntriesAreRemoved) {
    for (int i = 0; i < 100; i++) insert("f" + std::to_string(i));
    uint64_t position = 0;
    std::vector<std::string> seen;
    for (;;) {  // as rm -r does
        auto part = list(position, 7);
        if (part.empty()) break;
        for (auto& name : part) remove(name);
        seen.insert(seen.end(), part.begin(), part.end());
    }
    EXPECT_EQ(seen.size(), 100u) << "an entry was skipped or listed twice";
}

TEST_F(DirIndexTest, AListingSeesStayingEntriesExactlyOnce) {
    std::mt19937 random(4);
    for (int i = 0; i < 200; i++) insert("stay" + std::to_string(i));
    uint64_t position = 0;
    std::multiset<std::string> seen;
    for (int i = 0;; i++) {
        auto part = list(position, 3);
        if (part.empty()) break;
        seen.insert(part.begin(), part.end());
        std::string name = "come" + std::to_string(i);
        if (i < 150) insert(name);
        if (i >= 5 && i < 155 && random() % 2) remove("come" + std::to_string(i - 5));
        uint64_t elsewhere = random() % 100;  // another lister
        list(elsewhere, 2);
    }
    for (int i = 0; i < 200; i++)
        EXPECT_EQ(seen.count("stay" + std::to_string(i)), 1u) << i;
}

TEST_F(DirIndexTest, BehavesLikeAMap) {
    std::mt19937 random(5);
    for (int step = 0; step < 5000; step++) {
        std::string name = std::to_string(random() % 200);
        if (!model_.contains(name)) {
            ASSERT_EQ(dir_index_find(index_, name), nullptr) << name;
            if (random() % 2) insert(name);
        } else {
            ASSERT_EQ(dir_index_find(index_, name), model_.at(name)) << name;
            if (random() % 3 == 0) remove(name);
        }
    }
    uint64_t position = 0;
    EXPECT_EQ(list(position).size(), model_.size());
}

// More names than any hash of 32 bits keeps apart in a table of that size: many share a bucket,
// and some a hash.
TEST_F(DirIndexTest, TellsCollisionsApart) {
    std::vector<std::string> names;
    for (int i = 0; i < 20'000; i++)
        names.push_back(std::string(i % 3 * 8, 'a' + i % 2) + std::to_string(i / 2) + "-" +
                        std::to_string(i % 2));
    for (auto& name : names) insert(name);
    for (auto& name : names)
        ASSERT_EQ(dir_index_find(index_, name), model_.at(name))
            << name << ": is an entry taken for its hash alone?";
    for (size_t i = 0; i < names.size(); i += 2) remove(names[i]);
    for (size_t i = 0; i < names.size(); i++) {
        DirEntry* wanted = i % 2 ? model_.at(names[i]) : nullptr;
        ASSERT_EQ(dir_index_find(index_, names[i]), wanted)
            << names[i] << ": is an entry taken for its hash alone?";
    }
}

// What tmpfs does for rename(2): the new name comes, the old one goes, also over a name that
// is there, and while somebody lists.
TEST_F(DirIndexTest, RenamesKeepTheRest) {
    std::mt19937 random(6);
    for (int i = 0; i < 50; i++) insert("n" + std::to_string(i));
    uint64_t position = 0;
    for (int step = 0; step < 2000; step++) {
        auto from = std::next(model_.begin(), static_cast<long>(random() % model_.size()));
        std::string old_name = from->first, new_name = "n" + std::to_string(random() % 100);
        if (old_name == new_name) continue;
        if (model_.contains(new_name)) remove(new_name);
        insert(new_name);
        remove(old_name);
        if (model_.size() < 30) insert("more" + std::to_string(step));
        if (list(position, 3).empty()) position = 0;
        ASSERT_EQ(dir_index_find(index_, old_name), nullptr) << "the old name is still there";
        ASSERT_EQ(dir_index_find(index_, new_name), model_.at(new_name));
    }
    position = 0;
    std::vector<std::string> names = list(position);
    std::set<std::string> once(names.begin(), names.end());
    EXPECT_EQ(names.size(), model_.size());
    EXPECT_EQ(once.size(), model_.size());
}

// Ten times the entries may cost a lookup a little more (caches), not ten times as much.
TEST_F(DirIndexTest, LookupTimeDoesNotGrowWithTheDirectory) {
    auto time_of_lookups = [&](int entries) {
        std::vector<std::string> names;
        for (int i = 0; i < entries; i++)
            names.push_back("measurement-" + std::to_string(i));
        for (auto& name : names)
            if (!model_.contains(name)) insert(name);
        auto best = std::chrono::nanoseconds::max();
        for (int round = 0; round < 20; round++) {
            auto start = std::chrono::steady_clock::now();
            for (int i = 0; i < 100; i++)
                EXPECT_NE(dir_index_find(index_, names[i * 37 % entries]), nullptr);
            best = std::min<std::chrono::nanoseconds>(
                best, std::chrono::steady_clock::now() - start);
        }
        return best.count();
    };
    auto small = time_of_lookups(100);
    auto large = time_of_lookups(1000);
    EXPECT_LT(large, 5 * small)
        << "a lookup walks through the directory: see the profile in "
           "handouts/7-profiling.md";
}

}  // namespace
