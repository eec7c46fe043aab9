// Lab 5, line_discipline.cc on the host: echo, signal characters, flow control, output.
#include <random>

#include "grader/suites/5-pty/line.h"

namespace {

// ---- Echo ----

class Echo : public LineTest {};

TEST_F(Echo, ShowsWhatIsTyped) {
    type("hello\n");
    EXPECT_EQ(device_.out, "hello\r\n") << "a newline is echoed as CR LF";
}

TEST_F(Echo, IsOffWithoutEcho) {
    set(0, 0, 0, ECHO);
    type(std::string("secret") + kErase + "\n");
    EXPECT_EQ(device_.out, "");
    EXPECT_EQ(read(), "secre\n");
}

TEST_F(Echo, ControlCharactersAreShownWithACaret) {
    type("\x01z");
    EXPECT_EQ(device_.out, "^Az");
}

TEST_F(Echo, EraseBlanksTheCharacter) {
    type(std::string("cat") + kErase);
    EXPECT_EQ(shown(), "ca") << "backspace, blank, backspace";
    type("r");
    EXPECT_EQ(shown(), "car") << "the cursor stands behind what is left";
}

TEST_F(Echo, EraseOnAnEmptyLineShowsNothing) {
    write("$ ");
    type(std::string(1, kErase));
    EXPECT_EQ(shown(), "$") << "the prompt was erased";
    type("x");
    EXPECT_EQ(shown(), "$ x");
}

TEST_F(Echo, EraseKnowsWidths) {
    type(std::string("a\x01") + kErase + "b");
    EXPECT_EQ(shown(), "ab") << "^A takes two cells";
}

TEST_F(Echo, EraseGoesBackOverATab) {
    write("$ ");
    type(std::string("ab\t") + kErase + "c");
    EXPECT_EQ(shown(), "$ abc") << "how wide a tab is depends on where it began";
}

TEST_F(Echo, EraseBlanksAUtf8CharacterOnce) {
    type(std::string("a\xc3\xbc\xc3\xbc") + kErase + "b");
    EXPECT_EQ(shown(), "a*b") << "two bytes, one cell";
}

TEST_F(Echo, KillBlanksTheLine) {
    write("$ ");
    type(std::string("a wrong line") + kKill + "ok");
    EXPECT_EQ(shown(), "$ ok");
}

TEST_F(Echo, WordEraseBlanksTheWord) {
    type(std::string("make clean") + kWerase + "all");
    EXPECT_EQ(shown(), "make all");
}

TEST_F(Echo, ReprintShowsTheLineAgain) {
    type("abc");
    write("message");
    type(kReprint);
    std::string text = shown();
    EXPECT_EQ(text.substr(text.rfind('\n') + 1), "abc") << "the edited line, on a new one";
    type("d\n");
    EXPECT_EQ(read(), "abcd\n");
}

TEST_F(Echo, WaitsForRoom) {
    device_.room = 3;
    EXPECT_EQ(type("hello\n"), 6u) << "input must not wait for the output";
    EXPECT_EQ(device_.out, "hel");
    EXPECT_EQ(read(), "hello\n");
    device_.room = 100;
    line_output_ready(line_);
    EXPECT_EQ(device_.out, "hello\r\n") << "echo that found the device full is lost";
}

TEST_F(Echo, ComesBeforeLaterOutput) {
    device_.room = 2;
    type("abc\n");
    EXPECT_EQ(write("output"), "");
    device_.room = 100;
    std::string rest = "output";
    while (!rest.empty()) {
        std::string taken = write(rest);
        ASSERT_FALSE(taken.empty()) << "the device has room, but nothing is taken";
        rest.erase(0, taken.size());
    }
    EXPECT_EQ(device_.out, "abc\r\noutput");
}

TEST_F(Echo, NeverBlocksInput) {
    device_.room = 0;
    std::string typed;
    for (int i = 0; i < 100; i++) {
        typed = "a line that nobody sees, number " + std::to_string(i) + "\n";
        ASSERT_EQ(type(typed), typed.size()) << "the echo is full, and input waits for it";
        ASSERT_EQ(read(), typed);
    }
}

// ---- Signal characters ----

class SignalCharacter : public LineTest {};

TEST_F(SignalCharacter, EachHasItsSignal) {
    EXPECT_EQ(type(std::string(1, kIntr) + kQuit + kSusp), 3u)
        << "a signal character counts as consumed";
    EXPECT_EQ(device_.signals, (std::vector<int>{SIGINT, SIGQUIT, SIGTSTP}));
    EXPECT_EQ(read(), kWaits) << "it is no data";
}

TEST_F(SignalCharacter, WorksInRawModeWithIsig) {
    make_raw();
    set(0, 0, ISIG, 0);
    EXPECT_EQ(type(kIntr), 1u);
    EXPECT_EQ(device_.signals, std::vector<int>{SIGINT}) << "ISIG does not depend on ICANON";
}

TEST_F(SignalCharacter, IsDataWithoutIsig) {
    set(0, 0, 0, ISIG);
    type(std::string(1, kIntr) + "\n");
    EXPECT_TRUE(device_.signals.empty());
    EXPECT_EQ(read(), std::string(1, kIntr) + "\n");
}

TEST_F(SignalCharacter, FlushesWhatWasTypedAndWritten) {
    type("old line\nhalf");
    type(kIntr);
    EXPECT_GT(device_.flushes, 0) << "output that nobody has read yet is thrown away";
    type("new\n");
    EXPECT_EQ(read(), "new\n") << "what was typed before the signal is gone";
}

TEST_F(SignalCharacter, IsShown) {
    type(kIntr);
    EXPECT_EQ(shown(), "^C");
}

TEST_F(SignalCharacter, GetsThroughAFullBuffer) {
    std::string lines;
    while (lines.size() < 2 * kLineCapacity) lines += "nobody reads this\n";
    // The device offers what was not taken again, and the key comes behind it.
    std::string rest = lines.substr(type(lines)) + kIntr;
    EXPECT_EQ(type(rest), rest.size());
    EXPECT_EQ(device_.signals, std::vector<int>{SIGINT})
        << "a program that does not read could not be interrupted";
}

TEST_F(SignalCharacter, GetsThroughAFullRawBuffer) {
    make_raw();
    set(0, 0, ISIG, 0);
    std::string text(2 * kLineCapacity, 'x');
    type(text.substr(type(text)) + kSusp);
    EXPECT_EQ(device_.signals, std::vector<int>{SIGTSTP});
}

// ---- Flow control ----

class Flow : public LineTest {};

TEST_F(Flow, StopHoldsOutput) {
    EXPECT_EQ(type(kStop), 1u);
    EXPECT_TRUE(line_stopped(line_));
    EXPECT_EQ(write("text"), "");
    type(kStart);
    EXPECT_FALSE(line_stopped(line_));
    EXPECT_EQ(write("text"), "text");
    EXPECT_EQ(device_.out, "text") << "VSTOP and VSTART themselves are not shown";
}

TEST_F(Flow, StopHoldsEchoToo) {
    type(kStop);
    type("abc\n");
    EXPECT_EQ(device_.out, "");
    EXPECT_EQ(read(), "abc\n");
    type(kStart);
    line_output_ready(line_);
    EXPECT_EQ(device_.out, "abc\r\n");
}

TEST_F(Flow, IsDataWithoutIxon) {
    set(0, IXON, 0, 0);
    type(std::string(1, kStop) + "\n");
    EXPECT_FALSE(line_stopped(line_));
    EXPECT_EQ(read(), std::string(1, kStop) + "\n");
}

TEST_F(Flow, EndsWhenIxonGoes) {
    type(kStop);
    set(0, IXON, 0, 0);
    EXPECT_FALSE(line_stopped(line_)) << "nobody could start it again";
    EXPECT_EQ(write("x"), "x");
}

// ---- Output ----

class Output : public LineTest {};

TEST_F(Output, NewlinesBecomeReturnAndNewline) {
    EXPECT_EQ(write("a\nb\n\n"), "a\nb\n\n");
    EXPECT_EQ(device_.out, "a\r\nb\r\n\r\n");
}

TEST_F(Output, IsUntouchedWithoutOpost) {
    make_raw();
    write("a\nb\tc\r");
    EXPECT_EQ(device_.out, "a\nb\tc\r");
}

TEST_F(Output, ANewlineGoesWholeOrNotAtAll) {
    device_.room = 2;
    EXPECT_EQ(write("a\nb"), "a") << "there is room for CR but not for LF";
    device_.room = 100;
    EXPECT_EQ(write("\nb"), "\nb");
    EXPECT_EQ(device_.out, "a\r\nb") << "CR was sent twice";
}

TEST_F(Output, TakesWhatFits) {
    device_.room = 5;
    EXPECT_EQ(write("0123456789"), "01234");
    device_.room = 0;
    EXPECT_EQ(write("5"), "");
}

// All that was written arrives, once, however little room there is at a time.
TEST_F(Output, SurvivesAnyRoom) {
    std::mt19937 random(4);
    std::string text, expected;
    for (int i = 0; i < 5000; i++) {
        char c = random() % 8 == 0 ? '\n' : static_cast<char>(' ' + random() % 200);
        text += c;
        expected += c == '\n' ? "\r\n" : std::string(1, c);
    }
    size_t done = 0;
    for (int i = 0; i < 100'000 && done < text.size(); i++) {
        device_.room = random() % 7;
        done += write(text.substr(done, 1 + random() % 40)).size();
    }
    ASSERT_EQ(done, text.size());
    EXPECT_TRUE(device_.out == expected) << "bytes lost, doubled or out of order";
}

}  // namespace
