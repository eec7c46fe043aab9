// Lab 5, line_discipline.cc on the host: what is typed and what a reader gets of it.
#include <deque>
#include <random>

#include "grader/suites/5-pty/line.h"

namespace {

// ---- Canonical mode ----

class Canonical : public LineTest {};

TEST_F(Canonical, ALineComesWhenItIsFinished) {
    EXPECT_EQ(type("hello"), 5u);
    EXPECT_EQ(read(), kWaits) << "a line is readable before its end was typed: raw mode?";
    EXPECT_EQ(type("\n"), 1u);
    EXPECT_EQ(read(), "hello\n");
    EXPECT_EQ(read(), kWaits);
}

TEST_F(Canonical, OneReadGetsOneLine) {
    type("one\ntwo\n\nfour\n");
    for (const char* line : {"one\n", "two\n", "\n", "four\n"}) EXPECT_EQ(read(), line);
}

TEST_F(Canonical, ASmallReadLeavesTheRestOfTheLine) {
    type("abcdefgh\nnext\n");
    EXPECT_EQ(read(3), "abc");
    EXPECT_EQ(read(3), "def") << "the rest of the line belongs to the next read";
    EXPECT_EQ(read(), "gh\n");
    EXPECT_EQ(read(), "next\n");
}

TEST_F(Canonical, EndOfFileOnAnEmptyLine) {
    type(kEof);
    EXPECT_EQ(read(), "") << "VEOF on an empty line: the read returns 0";
    EXPECT_EQ(read(), kWaits) << "the end of file stays: it ends one read, not all";
}

TEST_F(Canonical, EndOfFileSendsAPartOfALine) {
    type("part");
    type(kEof);
    EXPECT_EQ(read(), "part") << "VEOF is no data, and what was typed before it is readable";
    EXPECT_EQ(read(), kWaits) << "VEOF behind a part of a line is no end of file";
}

TEST_F(Canonical, AReadOfJustThePartTakesTheMark) {
    type("part");
    type(kEof);
    EXPECT_EQ(read(4), "part");
    EXPECT_EQ(read(4), kWaits) << "the mark behind the four bytes went with them";
}

TEST_F(Canonical, TwoEndsOfFile) {
    type(std::string("x") + kEof + kEof + "y\n");
    EXPECT_EQ(read(), "x");
    EXPECT_EQ(read(), "");
    EXPECT_EQ(read(), "y\n");
}

TEST_F(Canonical, EolEndsALineToo) {
    abi::Termios t = termios();
    t.cc[VEOL] = ';';
    line_set_termios(line_, t);
    type("a;b\n");
    EXPECT_EQ(read(), "a;");
    EXPECT_EQ(read(), "b\n");
}

TEST_F(Canonical, ADisabledCharacterIsData) {
    abi::Termios t = termios();
    t.cc[VEOF] = t.cc[VERASE] = abi::kDisabledCharacter;
    line_set_termios(line_, t);
    std::string text = std::string("a") + kEof + kErase + '\0' + "b\n";
    type(text);
    EXPECT_EQ(read(), text);
}

TEST_F(Canonical, AvailableCountsWhatReadsWouldGet) {
    type("abc");
    EXPECT_EQ(line_available(line_), 0u) << "the line is not finished";
    type(std::string("\nde") + kEof);
    EXPECT_EQ(line_available(line_), 6u) << "an end-of-file mark is no byte";
}

TEST_F(Canonical, AFullBufferDoesNotBlockTheLine) {
    std::string text(kLineCapacity + 500, 'x');
    EXPECT_EQ(type(text), text.size())
        << "no read can make room in an unfinished line: what is too much is lost";
    EXPECT_EQ(type("\n"), 1u) << "the end of the line must always fit";
    EXPECT_EQ(read(2 * kLineCapacity), text.substr(0, kLineCapacity - 1) + "\n");
}

TEST_F(Canonical, AFullBufferOfLinesWaitsForTheReader) {
    std::string lines;
    while (lines.size() < 2 * kLineCapacity) lines += "a line of text\n";
    size_t taken = type(lines);
    EXPECT_LT(taken, lines.size()) << "finished lines were lost, though a reader may come";
    EXPECT_GE(taken, kLineCapacity - 1);
    EXPECT_EQ(read(), "a line of text\n");
    EXPECT_GT(type(lines.substr(taken)), 0u) << "a read makes room";
}

TEST_F(Canonical, FlushDropsEverything) {
    type("one\ntwo");
    line_flush_input(line_);
    EXPECT_EQ(read(), kWaits);
    type("\n");
    EXPECT_EQ(read(), "\n");
}

// ---- Editing ----

class Editing : public LineTest {};

TEST_F(Editing, EraseTakesTheLastByte) {
    type(std::string("cat") + kErase + kErase + "ow\n");
    EXPECT_EQ(read(), "cow\n");
}

TEST_F(Editing, EraseStopsAtTheStartOfTheLine) {
    type(std::string("one\n") + kErase + kErase + "two\n");
    EXPECT_EQ(read(), "one\n") << "a finished line cannot be edited any more";
    EXPECT_EQ(read(), "two\n");
}

TEST_F(Editing, KillTakesTheLine) {
    type(std::string("one\nwrong") + kKill + "right\n");
    EXPECT_EQ(read(), "one\n");
    EXPECT_EQ(read(), "right\n");
}

TEST_F(Editing, WordErase) {
    type(std::string("rm -rf  /tmp ") + kWerase + "x\n");
    EXPECT_EQ(read(), "rm -rf  x\n") << "the last word, with the blanks behind it";
    type(std::string("word") + kWerase + kWerase + "\n");
    EXPECT_EQ(read(), "\n");
}

TEST_F(Editing, LiteralNextTakesAnything) {
    std::string typed, expected;
    for (char c : {kIntr, kErase, kKill, kEof, kLnext, kStop, '\r', '\n'}) {
        typed += std::string(1, kLnext) + c;
        expected += c;
    }
    EXPECT_EQ(type(typed + "\n"), typed.size() + 1);
    EXPECT_TRUE(device_.signals.empty());
    EXPECT_FALSE(line_stopped(line_));
    EXPECT_EQ(read(), expected + "\n") << "the byte behind VLNEXT is data, whatever it is";
}

TEST_F(Editing, EraseTakesAWholeUtf8Character) {
    type(std::string("gr\xc3\xbc\xe2\x82\xac") + kErase + kErase + "o\n");
    EXPECT_EQ(read(), "gro\n");
}

TEST_F(Editing, WithoutIutf8EraseTakesAByte) {
    set(0, IUTF8, 0, 0);
    type(std::string("x\xc3\xbc") + kErase + "\n");
    EXPECT_EQ(read(), "x\xc3\n");
}

TEST_F(Editing, OnlyWithIexten) {
    set(0, 0, 0, IEXTEN);
    std::string text = std::string("a b") + kWerase + kLnext + kReprint + "\n";
    type(text);
    EXPECT_EQ(read(), text) << "VWERASE, VLNEXT and VREPRINT are data without IEXTEN";
}

// ---- Translation of input ----

class Translation : public LineTest {};

TEST_F(Translation, ReturnEndsALine) {
    type("a\r");
    EXPECT_EQ(read(), "a\n") << "ICRNL: Enter sends CR";
}

TEST_F(Translation, ReturnCanBeIgnored) {
    set(IGNCR, 0, 0, 0);
    type("a\rb\r\n");
    EXPECT_EQ(read(), "ab\n");
}

TEST_F(Translation, NewlineCanBecomeReturn) {
    set(INLCR, ICRNL, 0, 0);
    type("a\nb");
    type(kEof);
    EXPECT_EQ(read(), "a\rb");
}

TEST_F(Translation, HappensInRawModeToo) {
    make_raw();
    set(ICRNL, 0, 0, 0);
    type("a\rb");
    EXPECT_EQ(read(), "a\nb");
}

// ---- Raw mode ----

class Raw : public LineTest {};

TEST_F(Raw, EverythingIsData) {
    make_raw();
    std::string all;
    for (int c = 0; c < 256; c++) all += static_cast<char>(c);
    EXPECT_EQ(type(all), all.size());
    EXPECT_EQ(read(), all);
    EXPECT_TRUE(device_.signals.empty());
    EXPECT_EQ(device_.out, "");
}

TEST_F(Raw, BytesWrapAroundTheBuffer) {
    make_raw();
    std::mt19937 random(5);
    std::string sent, got;
    for (int i = 0; i < 200; i++) {
        std::string part;
        for (size_t n = random() % 700; n > 0; n--) part += static_cast<char>(random());
        ASSERT_EQ(type(part), part.size());
        sent += part;
        while (got.size() < sent.size()) {
            std::string now = read(1 + random() % 500);
            ASSERT_NE(now, kWaits);
            got += now;
        }
    }
    EXPECT_TRUE(got == sent) << "bytes came out changed or in another order";
}

TEST_F(Raw, AFullBufferTakesNoMore) {
    make_raw();
    std::string text(kLineCapacity + 100, 'x');
    size_t taken = type(text);
    EXPECT_EQ(taken, kLineCapacity) << "as many as fit: the device keeps the rest";
    EXPECT_EQ(type("y"), 0u);
    EXPECT_EQ(read(50).size(), 50u);
    EXPECT_EQ(type(text), 50u);
}

// MIN and TIME, POSIX 11.1.7, the four cases.
TEST_F(Raw, MinWithoutTimeWaitsForSoMany) {
    make_raw(3, 0);
    type("ab");
    EXPECT_FALSE(line_wait(line_, 10).ready);
    EXPECT_EQ(line_wait(line_, 10).timeout_ns, kLineNoTimeout);
    EXPECT_TRUE(line_wait(line_, 2).ready) << "a read of two bytes wants no third";
    type("c");
    EXPECT_TRUE(line_wait(line_, 10).ready);
    EXPECT_EQ(read(10), "abc");
}

TEST_F(Raw, NeitherMinNorTimeNeverWaits) {
    make_raw(0, 0);
    EXPECT_TRUE(line_wait(line_, 10).ready);
    EXPECT_EQ(read(10), "");
    type("a");
    EXPECT_EQ(read(10), "a");
}

TEST_F(Raw, TimeWithoutMinLimitsTheWait) {
    make_raw(0, 7);
    LineWait wait = line_wait(line_, 10);
    EXPECT_FALSE(wait.ready);
    EXPECT_EQ(wait.timeout_ns, 700'000'000u) << "TIME counts tenths of a second, from the start";
    type("a");
    EXPECT_TRUE(line_wait(line_, 10).ready) << "with TIME alone one byte is enough";
}

TEST_F(Raw, MinAndTimeLimitTheGapBetweenBytes) {
    make_raw(3, 7);
    EXPECT_FALSE(line_wait(line_, 10).ready);
    EXPECT_EQ(line_wait(line_, 10).timeout_ns, kLineNoTimeout)
        << "with MIN, TIME does not run before the first byte";
    type("a");
    EXPECT_FALSE(line_wait(line_, 10).ready);
    EXPECT_EQ(line_wait(line_, 10).timeout_ns, 700'000'000u) << "it runs between bytes";
    type("bc");
    EXPECT_TRUE(line_wait(line_, 10).ready);
}

// ---- Changing between the two ----

class ModeSwitch : public LineTest {};

TEST_F(ModeSwitch, ToRawMakesAnUnfinishedLineReadable) {
    type("partial");
    make_raw();
    EXPECT_EQ(read(), "partial");
}

TEST_F(ModeSwitch, ToRawLeavesNoFalseEndOfFile) {
    type(std::string("ab") + kEof + "c\n" + kEof + "d");
    make_raw();
    EXPECT_EQ(line_available(line_), 5u);
    EXPECT_EQ(read(), "abc\nd") << "marks of end of file mean nothing in raw mode";
    EXPECT_EQ(read(), kWaits);
}

TEST_F(ModeSwitch, ToCanonicalKeepsWhatIsThere) {
    make_raw();
    type("typed early");
    set(0, 0, ICANON, 0);
    EXPECT_EQ(read(), "typed early") << "input of raw mode stays readable";
    type("x");
    type(kErase);
    EXPECT_EQ(read(), kWaits);
}

TEST_F(ModeSwitch, ThereAndBackLosesNothing) {
    type("one\ntw");
    make_raw();
    set(0, 0, ICANON, 0);
    std::string got;
    for (std::string now; (now = read()) != kWaits && !now.empty();) got += now;
    EXPECT_EQ(got, "one\ntw");
}

// ---- All at once, against a model ----

// Lines as a list, no buffer to wrap, no marks: slow and plain.
class Model {
  public:
    void type(char c) {
        if (c == '\n') {
            finish(true);
        } else if (c == kEof) {
            finish(false);
        } else if (c == kErase) {
            if (!edited_.empty()) edited_.pop_back();
        } else if (c == kKill) {
            edited_.clear();
        } else {
            edited_ += c;
        }
    }
    std::string read(size_t size) {
        if (lines_.empty()) return kWaits;
        std::string text = lines_.front().substr(0, size);
        lines_.front().erase(0, size);
        if (lines_.front().empty()) lines_.pop_front();
        return text;
    }

  private:
    void finish(bool newline) {
        if (newline) edited_ += '\n';
        lines_.push_back(edited_);
        edited_.clear();
    }

    std::string edited_;
    std::deque<std::string> lines_;
};

TEST_F(Editing, BehavesLikeAModel) {
    std::mt19937 random(9);
    Model model;
    const std::string keys = std::string("abcdefgh  \n\n") + kErase + kErase + kKill + kEof;
    for (int step = 0; step < 6000; step++) {
        if (random() % 3 != 0) {
            std::string typed;
            for (size_t n = 1 + random() % 20; n > 0; n--) typed += keys[random() % keys.size()];
            ASSERT_EQ(type(typed), typed.size());
            for (char c : typed) model.type(c);
        }
        size_t size = 1 + random() % 12;
        for (std::string expected; expected != kWaits;) {
            expected = model.read(size);
            ASSERT_EQ(read(size), expected) << "at step " << step;
        }
    }
}

}  // namespace
