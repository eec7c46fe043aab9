// The reader of initramfs archives (kernel/fs/cpio.h).
//
//   g++ -std=c++20 -g -fsanitize=address,undefined -I.
//   grader/suites/host/common/cpio_test.cc
//       kernel/fs/cpio.cc kernel/base/host_panic.cc -lgtest -lgtest_main -pthread
#include "kernel/fs/cpio.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace {

struct Fields {
    uint32_t inode = 1, mode = 0100644, uid = 0, gid = 0, links = 1, modified = 0;
    uint32_t device_major = 0, device_minor = 0, node_major = 0, node_minor = 0;
};

void pad(std::string& archive) {
    while (archive.size() % 4 != 0) archive.push_back('\0');
}

void add(std::string& archive, const std::string& name, const std::string& data = "",
         const Fields& f = {}) {
    char header[111];
    snprintf(header, sizeof header,
             "070701%08x%08X%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", f.inode,
             f.mode, f.uid, f.gid, f.links, f.modified,
             static_cast<uint32_t>(data.size()), f.device_major, f.device_minor,
             f.node_major, f.node_minor, static_cast<uint32_t>(name.size() + 1), 0u);
    archive += header + name + '\0';
    pad(archive);
    archive += data;
    pad(archive);
}

void add_trailer(std::string& archive) { add(archive, "TRAILER!!!"); }

// Reads from memory of exactly the archive's size, so that a sanitizer sees each byte too
// many.
class Archive {
  public:
    explicit Archive(const std::string& bytes)
        : bytes_(new uint8_t[bytes.size()]), reader_({bytes_.get(), bytes.size()}) {
        std::copy(bytes.begin(), bytes.end(), bytes_.get());
    }
    Result<bool> next() { return reader_.next(entry); }
    // What the whole archive gives: names, "$" for the end, "!" for
    // malformed.
    std::string walk() {
        std::string text;
        for (;;) {
            auto step = next();
            if (!step.ok()) return text + "!";
            if (!step.value()) return text + "$";
            text += std::string(entry.name) + " ";
        }
    }
    std::string problem() const { return reader_.problem(); }
    size_t offset() const { return reader_.offset(); }
    CpioEntry entry{};

  private:
    std::unique_ptr<uint8_t[]> bytes_;
    CpioReader reader_;
};

TEST(Cpio, EmptyInputAndZerosHaveNoEntries) {
    EXPECT_EQ(Archive("").walk(), "$");
    EXPECT_EQ(Archive(std::string(515, '\0')).walk(), "$");
}

TEST(Cpio, ReadsEveryField) {
    std::string bytes;
    add(bytes, "dir/file", "hello", {7, 0104755, 1000, 100, 2, 0x66778899, 8, 1, 4, 64});
    add_trailer(bytes);
    Archive archive(bytes);
    ASSERT_TRUE(archive.next().ok());
    const CpioEntry& e = archive.entry;
    EXPECT_EQ(e.name, "dir/file");
    EXPECT_EQ(std::string(e.data.begin(), e.data.end()), "hello");
    EXPECT_EQ(e.mode, 0104755u);
    EXPECT_EQ(e.uid, 1000u);
    EXPECT_EQ(e.gid, 100u);
    EXPECT_EQ(e.modified, 0x66778899u);
    EXPECT_EQ(e.node_major, 4u);
    EXPECT_EQ(e.node_minor, 64u);
}

TEST(Cpio, NamesAndDataOfEveryLengthArePadded) {
    std::string bytes, expected;
    for (size_t i = 1; i <= 9; i++) {
        add(bytes, std::string(i, 'n'), std::string(i % 5, 'd'));
        expected += std::string(i, 'n') + " ";
    }
    add_trailer(bytes);
    EXPECT_EQ(Archive(bytes).walk(), expected + "$");
}

TEST(Cpio, ArchivesFollowEachOther) {
    std::string bytes;
    add(bytes, "one");
    add_trailer(bytes);
    bytes.resize(512);  // as cpio pads its blocks
    add(bytes, "two");
    add_trailer(bytes);
    EXPECT_EQ(Archive(bytes).walk(), "one two $");
}

TEST(Cpio, AnyNumberOfTrailersIsSkipped) {
    std::string bytes;
    for (int i = 0; i < 100000; i++) add_trailer(bytes);
    add(bytes, "last");
    add_trailer(bytes);
    EXPECT_EQ(Archive(bytes).walk(), "last $");
}

TEST(Cpio, SaysWhatIsWrongAndWhere) {
    std::string good;
    add(good, "file", "data");
    size_t second = good.size();
    struct Case {
        std::string bytes, problem;
        size_t offset;
    };
    std::string bad_digit = good;
    bad_digit[10] = 'g';
    std::string no_nul = good;
    no_nul[114] = 'x';
    std::string early_nul = good;
    early_nul[111] = '\0';
    for (const Case& c : {Case{good, "the trailer is missing", second},
                          Case{good + "garbage", "the header is cut off", second},
                          Case{std::string(200, 'x'), "this is no newc header", 0},
                          Case{bad_digit, "a header field is no hexadecimal number", 0},
                          Case{no_nul, "the name does not end where it should", 0},
                          Case{early_nul, "the name does not end where it should", 0}}) {
        Archive archive(c.bytes);
        EXPECT_EQ(archive.walk().back(), '!');
        EXPECT_EQ(archive.problem(), c.problem);
        EXPECT_EQ(archive.offset(), c.offset);
    }
}

TEST(Cpio, RejectsLengthsBeyondTheInput) {
    for (size_t field : {6u, 11u}) {  // file size, name size
        for (const char* size : {"ffffffff", "00000100", "7fffffff", "80000000"}) {
            std::string bytes;
            add(bytes, "file", "data");
            bytes.replace(6 + 8 * field, 8, size);
            EXPECT_EQ(Archive(bytes).walk(), "!") << "field " << field << " is " << size;
        }
    }
}

TEST(Cpio, EveryTruncationEndsInAnErrorOrAtTheEnd) {
    std::string bytes;
    add(bytes, "a", "12345");
    add(bytes, "bb", "123456");
    add_trailer(bytes);
    for (size_t size = 0; size < bytes.size(); size++) {
        std::string text = Archive(bytes.substr(0, size)).walk();
        bool complete = text == "a bb $" && size + 3 >= bytes.size();  // padding was cut
        EXPECT_TRUE(size == 0 || complete || text.back() == '!') << size << ": " << text;
    }
}

TEST(Cpio, EveryChangedByteIsSurvived) {
    std::string bytes;
    add(bytes, "name", "data");
    add_trailer(bytes);
    for (size_t i = 0; i < bytes.size(); i++) {
        for (char value : {'\0', '\1', '0', 'f', '\xff'}) {
            std::string changed = bytes;
            changed[i] = value;
            Archive(changed).walk();  // the sanitizers watch
        }
    }
}

}  // namespace
