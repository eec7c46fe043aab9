// The stack walker and the symbol search: pure functions on memory and a table, used by
// panic, by the profiler, and on the host by the grader's tests.
//
// With frame pointers kept (-fno-omit-frame-pointer) every function starts with
//     pushq %rbp; movq %rsp, %rbp
// so that RBP points at the caller's RBP and, above it, the return address: a linked list
// from the innermost frame outwards, at growing addresses. The list may be damaged, that is
// why somebody panics; so each link is checked before it is followed.
#include "kernel/arch/panic.h"

#include <algorithm>

size_t walk_stack(VirtAddr rbp, StackCheck readable, std::span<VirtAddr> out) {
    struct Frame {
        VirtAddr caller_rbp;
        VirtAddr return_address;
    };
    size_t count = 0;
    while (count < out.size()) {
        if (rbp == 0 || !is_aligned(rbp, alignof(Frame)) || !readable(rbp)) break;
        const auto* frame = reinterpret_cast<const Frame*>(rbp);
        out[count++] = frame->return_address;
        // Strictly outwards: a cycle would never end.
        if (frame->caller_rbp <= rbp) break;
        rbp = frame->caller_rbp;
    }
    return count;
}

SymbolMatch find_symbol(std::span<const Symbol> table, uint64_t address) {
    auto after = std::upper_bound(
        table.begin(), table.end(), address,
        [](uint64_t wanted, const Symbol& symbol) { return wanted < symbol.address; });
    if (after == table.begin()) return {nullptr, 0};
    const Symbol& symbol = *--after;
    if (symbol.name == nullptr) return {nullptr, 0};  // past the end of the text
    return {symbol.name, address - symbol.address};
}
