// Lab 2: four CPUs write, share and drop the same copy-on-write pages at the same moment.
//
//   copies   parent and three children, each on a CPU of its own, write all pages of one fork
//            in the same order at the same time: the count of each frame goes down from four to
//            one under their hands. Everybody must keep what it wrote.
//   drops    the same pages are dropped by all at once, unwritten: freed exactly once.
//   frames   afterwards the machine has as many free frames as before.
//
// /run/mello/data/race_rounds.
#include "user/tests/2-paging/pages.h"
#include "user/tests/lib/child.h"
#include "user/tests/lib/figure.h"
#include "user/tests/lib/report.h"

namespace {

constexpr unsigned kChildren = 3, kAll = kChildren + 1;
constexpr size_t kPages = 24;

uint64_t word_of(unsigned who, size_t page, uint64_t round) {
    return (round * 1000 + page * 10 + who) * 0x9e3779b97f4a7c15;
}

void write_all(char* memory, unsigned who, uint64_t round) {
    for (size_t i = 0; i < kPages; i++)
        *reinterpret_cast<volatile uint64_t*>(memory + i * kPage + who * 8) =
            word_of(who, i, round);
}

// Our own words, and the parent's of before the fork where others wrote theirs.
bool is_ours(const char* memory, unsigned who, uint64_t round) {
    for (size_t i = 0; i < kPages; i++) {
        auto* words = reinterpret_cast<const volatile uint64_t*>(memory + i * kPage);
        for (unsigned other = 0; other < kAll; other++) {
            uint64_t expected = other == who ? word_of(who, i, round) : word_of(99, i, round);
            if (words[other] != expected) return false;
        }
    }
    return true;
}

// One fork to three children; with `write` all four write, else all four let go.
unsigned round_of(uint64_t round, bool write) {
    static Gate gate;
    gate.open(0);
    char* memory = map_pages(kPages);
    for (size_t i = 0; i < kPages; i++) {
        auto* words = reinterpret_cast<uint64_t*>(memory + i * kPage);
        for (unsigned other = 0; other < kAll; other++) words[other] = word_of(99, i, round);
    }
    pid_t children[kChildren];
    for (unsigned i = 0; i < kChildren; i++) {
        children[i] = start_child([&] {
            pin_to_cpu(i + 1);
            gate.arrive();
            gate.wait(kAll);
            if (!write) {
                munmap(memory, kPages * kPage);
                return 0;
            }
            write_all(memory, i + 1, round);
            return is_ours(memory, i + 1, round) ? 0 : 1;
        });
    }
    while (gate.now() < kChildren) asm volatile("pause");
    gate.arrive();
    unsigned wrong = 0;
    if (write) {
        write_all(memory, 0, round);
        wrong += !is_ours(memory, 0, round);
    }
    munmap(memory, kPages * kPage);
    for (pid_t child : children) wrong += wait_status(child) != 0;
    return wrong;
}

}  // namespace

int main() {
    uint64_t rounds = host_number("race_rounds", 40);
    pin_to_cpu(0);
    unsigned wrong_copies = 0, wrong_drops = 0;
    for (uint64_t i = 0; i < 4; i++) wrong_copies += round_of(i, i % 2 == 0);
    long before = frames_settled(0);
    for (uint64_t i = 0; i < rounds; i++) {
        wrong_copies += round_of(i, true);
        wrong_drops += round_of(i, false);
    }
    check_group("copies");
    check_equal("processes_that_saw_others_words", 0, wrong_copies);
    check_group("drops");
    check_equal("processes_that_failed", 0, wrong_drops);
    check_group("frames");
    // Caches of kernel objects and stacks may still grow a little; a lost round is more.
    constexpr long kSlack = 60;
    long after = frames_settled(before - kSlack);
    report("race_frames", "%ld %ld", before, after);
    if (after >= before - kSlack && after <= before + 3 * kSlack) {
        check_passed("balance");
    } else {
        check_failed("balance", Where::current(),
                     "expected %ld free frames as before the %lu forks, got %ld: %s", before,
                     rounds * 2 * kChildren, after,
                     after < before ? "they are lost" : "some were freed twice");
    }
    return check_summary("race");
}
