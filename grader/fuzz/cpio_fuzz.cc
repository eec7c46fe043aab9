// The initramfs reader on arbitrary bytes: it comes to an end, and what it hands out lies
// within them.
#include <cstdlib>

#include "kernel/fs/cpio.h"

namespace {

void must(bool held) {
    if (!held) abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    CpioReader reader({data, size});
    volatile uint8_t sink = 0;
    // Each step takes at least a header of 110 bytes.
    for (size_t steps = 0; steps <= size / 110 + 2; steps++) {
        CpioEntry entry{};
        Result<bool> step = reader.next(entry);
        if (!step.ok()) {
            must(reader.problem() != nullptr && reader.offset() <= size);
            return 0;
        }
        if (!step.value()) return 0;
        must(!entry.name.empty());
        must(entry.name.find('\0') == entry.name.npos);
        must(entry.data.data() >= data && entry.data.size() <= size);
        for (uint8_t byte : entry.data) sink = sink ^ byte;
    }
    abort();
}
