// What calls cost that move data: read and write of one byte through a pipe, and of 64 KiB to
// and from a file in memory. For icount, where a tick is an instruction.
//
// Reported: `write1` and `read1`, ticks a call; `copy_out` and `copy_in`, ticks a KiB of pread
// and pwrite; `latency_raw WRITE READ CALLS`, the whole time of the median repetitions;
// `latency_hash`, over the bytes that came out of the pipe in the last repetition and over the
// file as it was read back.
//
// Host data: `latency_calls`, calls a repetition, at most 4000; `latency`, 64 KiB.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "user/tests/lib/check.h"
#include "user/tests/lib/figure.h"
#include "user/tests/lib/report.h"

namespace {

constexpr unsigned kWarmUps = 2, kRepetitions = 11;
constexpr uint64_t kMostCalls = 4000;  // a byte each; a pipe holds them all
constexpr size_t kFileSize = 65536, kKib = kFileSize / 1024;

char data[kFileSize], back[kFileSize];

struct Series {
    uint64_t values[kRepetitions];
    void keep(unsigned repetition, uint64_t value) {
        if (repetition >= kWarmUps) values[repetition - kWarmUps] = value;
    }
    void report_as(const char* name, uint64_t per) {
        report_figure(name, figure_of(values, kRepetitions, per), kRepetitions);
    }
};

void load_data() {
    std::string_view given = host_data("latency");
    Sequence random(1);
    random.fill(data, sizeof data);
    for (size_t i = 0; i < given.size() && i < sizeof data; i++) data[i] = given[i];
}

uint64_t measure_pipe(uint64_t calls) {
    int ends[2];
    check_works("latency.pipe", pipe(ends));
    Series writes, reads;
    uint64_t wrong = 0;
    for (unsigned i = 0; i < kWarmUps + kRepetitions; i++) {
        uint64_t start = ticks();
        for (uint64_t n = 0; n < calls; n++) wrong |= write(ends[1], data + n, 1) ^ 1;
        uint64_t middle = ticks();
        for (uint64_t n = 0; n < calls; n++) wrong |= read(ends[0], back + n, 1) ^ 1;
        uint64_t end = ticks();
        writes.keep(i, middle - start);
        reads.keep(i, end - middle);
    }
    check("latency.one_byte_each", wrong == 0);
    writes.report_as("write1", calls);
    reads.report_as("read1", calls);
    report("latency_raw", "%lu %lu %lu", median_of(writes.values, kRepetitions),
           median_of(reads.values, kRepetitions), calls);
    return hash_bytes(back, calls);
}

uint64_t measure_file(uint64_t hash) {
    int file = open("/tmp/latency", O_RDWR | O_CREAT | O_TRUNC, 0600);
    check_works("latency.create", file);
    Series in, out;
    uint64_t wrong = 0;
    for (unsigned i = 0; i < kWarmUps + kRepetitions; i++) {
        uint64_t start = ticks();
        wrong |= pwrite(file, data, kFileSize, 0) ^ kFileSize;
        uint64_t middle = ticks();
        wrong |= pread(file, back, kFileSize, 0) ^ kFileSize;
        uint64_t end = ticks();
        in.keep(i, middle - start);
        out.keep(i, end - middle);
    }
    check("latency.whole_file_each", wrong == 0);
    in.report_as("copy_in", kKib);
    out.report_as("copy_out", kKib);
    unlink("/tmp/latency");
    return hash_bytes(back, kFileSize, hash);
}

}  // namespace

int main() {
    uint64_t calls = host_number("latency_calls", 1000);
    if (calls == 0 || calls > kMostCalls) calls = kMostCalls;
    load_data();
    uint64_t hash = measure_pipe(calls);
    report("latency_hash", "%016lx", measure_file(hash));
    return check_summary("latency");
}
