// Lab 2: what a frame from this CPU's cache costs. A user program sees no allocation alone;
// populating a mapping is the nearest: for each page a frame is taken, filled with zeros and
// put into the page table, without a trap. So the figure is above what it stands for.
//
// Reported: `alloc`, ticks a page (report_figure), and `zeroing`, what the program itself needs
// to clear a page, to compare.
#include "user/tests/2-paging/pages.h"
#include "user/tests/lib/figure.h"
#include "user/tests/lib/report.h"

namespace {

constexpr unsigned kWarmUps = 3, kRepetitions = 15;
constexpr size_t kPages = 100;

uint64_t populate(bool& zero) {
    uint64_t start = ticks();
    char* memory = map_pages(kPages, kReadWrite, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE);
    uint64_t spent = ticks() - start;
    for (size_t i = 0; i < kPages * kPage; i += 512) {
        zero &= byte_at(memory + i) == 0;
        byte_at(memory + i) = 1;
    }
    munmap(memory, kPages * kPage);
    return spent;
}

}  // namespace

int main() {
    check_group("alloc");
    bool zero = true;
    uint64_t values[kRepetitions];
    for (unsigned i = 0; i < kWarmUps; i++) populate(zero);
    long faults = metric("page_faults_total");
    for (uint64_t& value : values) value = populate(zero);
    check("pages_are_zero", zero);
    // Populated means that using the pages does not fault.
    check("populated", metric("page_faults_total") - faults < 50);
    report_figure("alloc", figure_of(values, kRepetitions, kPages), kRepetitions);
    return check_summary("alloc");
}
