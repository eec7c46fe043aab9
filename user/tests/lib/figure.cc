#include "user/tests/lib/figure.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "user/tests/lib/report.h"

void sort_values(uint64_t* values, size_t count) { std::sort(values, values + count); }

uint64_t median_of(uint64_t* values, size_t count) {
    sort_values(values, count);
    return values[(count - 1) / 2];
}

namespace {

uint64_t square_root(uint64_t value) {
    uint64_t root = 0;
    for (uint64_t bit = 1ull << 31; bit != 0; bit >>= 1) {
        uint64_t larger = root | bit;
        if (larger * larger <= value) root = larger;
    }
    return root;
}

}  // namespace

Figure figure_of(uint64_t* values, size_t count, uint64_t per) {
    sort_values(values, count);
    auto hundredths = [&](uint64_t ticks) { return ticks * 100 / per; };
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) sum += hundredths(values[i]);
    uint64_t mean = sum / count;
    uint64_t squares = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t value = hundredths(values[i]);
        uint64_t off = value > mean ? value - mean : mean - value;
        squares += off * off;
    }
    return {.median = hundredths(values[(count - 1) / 2]),
            .smallest = hundredths(values[0]),
            .largest = hundredths(values[count - 1]),
            .p95 = hundredths(values[(count - 1) * 95 / 100]),
            .deviation = square_root(squares / count)};
}

void report_figure(const char* name, const Figure& figure, size_t count) {
    auto whole = [](uint64_t h) { return static_cast<unsigned long>(h / 100); };
    auto part = [](uint64_t h) { return static_cast<unsigned long>(h % 100); };
    report(name, "%lu.%02lu %lu.%02lu %lu.%02lu %lu.%02lu %lu.%02lu %zu", whole(figure.median),
           part(figure.median), whole(figure.smallest), part(figure.smallest),
           whole(figure.largest), part(figure.largest), whole(figure.p95), part(figure.p95),
           whole(figure.deviation), part(figure.deviation), count);
}

// The raw calls, with a mask of 1024 CPUs: the C libraries' wrappers differ in cpu_set_t's
// size and in what they return.
namespace {
constexpr unsigned kMaskWords = 16;
}

bool pin_to_cpu(unsigned cpu) {
    if (cpu >= kMaskWords * 64) return false;
    uint64_t mask[kMaskWords] = {};
    mask[cpu / 64] = 1ull << (cpu % 64);
    return syscall(SYS_sched_setaffinity, 0, sizeof mask, mask) == 0;
}

unsigned cpu_count() {
    uint64_t mask[kMaskWords] = {};
    long bytes = syscall(SYS_sched_getaffinity, 0, sizeof mask, mask);
    unsigned count = 0;
    for (unsigned i = 0; bytes > 0 && i < kMaskWords; i++) count += __builtin_popcountll(mask[i]);
    return count == 0 ? 1 : count;
}
