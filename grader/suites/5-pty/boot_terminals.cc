// Lab 5, terminals as programs meet them: pairs live and die, reads and writes wait or do
// not, lines are edited as the host typed them.
#include "grader/suites/suite.h"

namespace {

// ---- /tests/5-pty/pair ----

const uint64_t kPairSeed = chosen("pair_seed", 1, 1ull << 62);
const uint64_t kPairSize = chosen("pair_size", 2500, 4000);

// ---- /tests/5-pty/lines: the host types, and knows what a terminal would do ----

constexpr char kErase = 127, kKill = 21, kEof = 4, kWerase = 23, kLnext = 22;

// Canonical mode with echo, for one-byte characters; slow and plain.
class Model {
  public:
    void type(char c) {
        if (literal_) {
            literal_ = false;
            store(c);
        } else if (c == '\n' || c == kEof) {
            if (c == '\n') {
                line_ += c;
                echo += "\r\n";
            }
            lines.push_back(line_);
            line_.clear();
        } else if (c == kErase) {
            if (!line_.empty()) erase(line_.size() - 1);
        } else if (c == kKill) {
            erase(0);
        } else if (c == kWerase) {
            size_t end = line_.size();
            while (end > 0 && line_[end - 1] == ' ') --end;
            while (end > 0 && line_[end - 1] != ' ') --end;
            erase(end);
        } else if (c == kLnext) {
            literal_ = true;
            echo += "^\b";
        } else {
            store(c);
        }
    }
    // As the guest does it over everything that reads return.
    std::string framed() const {
        std::string all;
        for (const std::string& line : lines) {
            auto length = static_cast<uint32_t>(line.size());
            all.append(reinterpret_cast<const char*>(&length), sizeof length);
            all += line;
        }
        return all;
    }

    std::vector<std::string> lines;
    std::string echo;

  private:
    static size_t width(char c) { return c < ' ' || c == 127 ? 2 : 1; }
    void store(char c) {
        line_ += c;
        if (width(c) == 2) {
            echo += '^';
            c = static_cast<char>(c ^ 0x40);
        }
        echo += c;
    }
    void erase(size_t end) {
        size_t cells = 0;
        for (size_t i = end; i < line_.size(); ++i) cells += width(line_[i]);
        for (size_t i = 0; i < cells; ++i) echo += "\b \b";
        line_.erase(end);
    }

    std::string line_;
    bool literal_ = false;
};

// Keys as somebody types who makes mistakes.
std::string typed_keys() {
    Sequence sequence(chosen("keys_seed", 1, 1ull << 62));
    const std::string special = std::string(4, '\n') + kErase + kErase + kErase + kKill + kWerase +
                                kWerase + kEof;
    std::string keys;
    for (int i = 0; i < 4000; ++i) {
        uint64_t kind = sequence.below(100);
        if (kind < 75) {
            keys += static_cast<char>('a' + sequence.below(26));
        } else if (kind < 85) {
            keys += ' ';
        } else if (kind < 97) {
            keys += special[sequence.below(special.size())];
        } else {
            keys += kLnext;
            keys += "\x01\x03\x04\x11\x13\x15\x17\x7f"[sequence.below(8)];
        }
    }
    return keys + "\n";
}
const std::string kKeys = typed_keys();
const std::string kPieces = std::to_string(chosen("lines_pieces", 1, 1ull << 62));

Model typed() {
    Model model;
    for (char c : kKeys) model.type(c);
    return model;
}

}  // namespace

#define PAIR_TEST(name)                                                             \
    GUEST_TEST(Pair, name, .run = "/tests/5-pty/pair", .cpus = 2,                   \
               .data = {{"pair_seed", std::to_string(kPairSeed)},                   \
                        {"pair_size", std::to_string(kPairSize)}},                  \
               .limit = 40)

PAIR_TEST(are_made_and_named) { guest.expect_checks("make"); }

PAIR_TEST(data_goes_both_ways) {
    guest.expect_checks("data");
    Sequence sequence(kPairSeed);
    for (const char* way : {"pair_down", "pair_up"}) {
        EXPECT_EQ(guest.text(way), hex(hash_of(sequence.bytes(kPairSize))))
            << way << ": what came out of the pair is not what the host chose";
    }
}

PAIR_TEST(end_of_the_slave) { guest.expect_checks("slave"); }

PAIR_TEST(end_of_the_master) { guest.expect_checks("master"); }

PAIR_TEST(bad_buffers_lose_nothing) { guest.expect_checks("fault"); }

#define WAITING_TEST(name)                                                          \
    GUEST_TEST(Waiting, name, .run = "/tests/5-pty/waiting", .cpus = 2, .limit = 40)

WAITING_TEST(reads_and_writes_wait) { guest.expect_checks("block"); }

WAITING_TEST(nonblocking_calls_do_not) { guest.expect_checks("nonblock"); }

WAITING_TEST(poll_and_select) { guest.expect_checks("poll"); }

WAITING_TEST(bytes_are_counted) { guest.expect_checks("count"); }

#define LINES_TEST(name)                                                            \
    GUEST_TEST(Lines, name, .run = "/tests/5-pty/lines", .cpus = 2,                 \
               .data = {{"lines_keys", kKeys}, {"lines_pieces", kPieces}}, .limit = 40)

LINES_TEST(are_edited_as_typed) {
    EXPECT_EQ(guest.number("lines_count"), typed().lines.size()) << "reads that returned a line";
    EXPECT_EQ(guest.text("lines_hash"), hex(hash_of(typed().framed())))
        << "the lines that the program read are not what was typed and corrected";
}

LINES_TEST(are_echoed_as_typed) {
    EXPECT_EQ(guest.text("lines_echo"), hex(hash_of(typed().echo)))
        << "the echo of the typed keys differs";
}

LINES_TEST(modes_take_effect) { guest.expect_checks("edit"); }

GUEST_TEST(Timing, min_and_time, .run = "/tests/5-pty/timing", .machine = "qemu-icount",
           .limit = 40) {
    guest.expect_checks("timing");
}
