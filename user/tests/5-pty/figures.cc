// What data costs on its way through a pipe and through a terminal, in ticks of the
// time-stamp counter: for icount, where a tick is an instruction, called 1 ns.
//
//   pipe_throughput   ns a KiB: 64 MiB from one process to another in writes of 64 KiB, in ten
//                     runs; the reader sums up all of it, and the time is up when it has
//   pty_write, pty_read   instructions a byte: lines of 1000 bytes of text, written to a
//                     slave and read at its master
//
// Reported beside the figures: `pipe_raw TICKS BYTES` of the median run; `pipe_sum`, over all
// words of all runs and their order; `pty_hash` of what the master read.
// Host data: `figures_seed`.
#include "user/tests/5-pty/pty.h"
#include "user/tests/lib/figure.h"

namespace {

constexpr size_t kPiece = 65'536, kWords = kPiece / 8;
constexpr unsigned kRuns = 10, kPieces = 103;  // 64.4 MiB
constexpr unsigned kLines = 50;
constexpr size_t kLine = 1000;

uint64_t seed;
alignas(64) uint64_t words[kWords];

struct Sum {
    uint64_t plain = 0, ordered = 0;
};

// Takes one run out of the pipe; false when it ends early.
bool sum_up(int fd, unsigned pieces, Sum& sum) {
    for (unsigned piece = 0; piece < pieces; piece++) {
        for (size_t have = 0; have < kPiece;) {
            ssize_t got = read(fd, reinterpret_cast<char*>(words) + have, kPiece - have);
            if (got <= 0) return false;
            have += static_cast<size_t>(got);
        }
        for (size_t i = 0; i < kWords; i += 4) {
            sum.plain += words[i] + words[i + 1] + words[i + 2] + words[i + 3];
            sum.ordered += sum.plain ^ words[i + 1] << 1;
        }
    }
    return true;
}

void measure_pipe() {
    int forth[2], back[2];
    check_works("figures.pipe", pipe(forth));
    check_works("figures.pipe", pipe(back));
    pid_t reader = start_child([&] {
        close(forth[1]);
        Sum sum;
        for (unsigned run = 0; run <= kRuns; run++) {
            if (!sum_up(forth[0], kPieces, sum)) return 1;
            if (!put_all(back[1], &sum, sizeof sum)) return 2;
        }
        return 0;
    });
    close(forth[0]);
    close(back[1]);
    Sequence data(seed);
    for (uint64_t& word : words) word = data.next();
    uint64_t values[kRuns];
    Sum sum;
    for (unsigned run = 0; run <= kRuns; run++) {  // the first is a warm-up
        uint64_t start = ticks();
        for (unsigned piece = 0; piece < kPieces; piece++) {
            words[piece * 61 % kWords] += seed + run;
            if (!put_all(forth[1], words, kPiece))
                return check_failed("figures.write", Where::current(), "run %u", run);
        }
        if (get_all(back[0], &sum, sizeof sum) != sizeof sum)
            return check_failed("figures.sum", Where::current(), "run %u", run);
        if (run > 0) values[run - 1] = ticks() - start;
    }
    check_exited("figures.reader", 0, wait_status(reader));
    report("pipe_sum", "%#lx %#lx", sum.plain, sum.ordered);
    constexpr uint64_t kBytes = kPieces * kPiece;
    report_figure("pipe_throughput", figure_of(values, kRuns, kBytes / 1024), kRuns);
    report("pipe_raw", "%lu %lu", median_of(values, kRuns), kBytes);
}

void measure_pty() {
    Pair pair(false);
    if (!pair.works()) return;
    static char line[kLine], got[2 * kLine];
    Sequence data(seed + 1);
    uint64_t writes[kRuns], reads[kRuns], hash = kHashStart, wrong = 0;
    for (unsigned run = 0; run <= kRuns; run++) {
        uint64_t writing = 0, reading = 0;
        for (unsigned n = 0; n < kLines; n++) {
            for (char& c : line) c = static_cast<char>('!' + data.below(90));
            line[kLine - 1] = '\n';
            uint64_t start = ticks();
            ssize_t put = write(pair.slave, line, kLine);
            uint64_t middle = ticks();
            ssize_t came = read(pair.master, got, sizeof got);
            reading += ticks() - middle;
            writing += middle - start;
            wrong += put != kLine || came != kLine + 1;
            if (came > 0) hash = hash_bytes(got, static_cast<size_t>(came), hash);
        }
        if (run == 0) continue;
        writes[run - 1] = writing;
        reads[run - 1] = reading;
    }
    check_equal("figures.short_transfers", 0, static_cast<long>(wrong));
    report("pty_hash", "%#lx", hash);
    report_figure("pty_write", figure_of(writes, kRuns, kLines * kLine), kRuns);
    report_figure("pty_read", figure_of(reads, kRuns, kLines * kLine), kRuns);
}

}  // namespace

int main() {
    seed = host_number("figures_seed", 1);
    measure_pipe();
    measure_pty();
    return check_summary("figures");
}
