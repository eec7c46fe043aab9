// The C++ runtime of the kernel: constructors of static objects, and the functions that
// compiled code refers to but must never reach. Static objects are never destroyed.
#include "kernel/base/runtime.h"

#include "kernel/base/assert.h"

using Constructor = void (*)();
// Bounds of .init_array, set by the linker script.
extern "C" const Constructor init_array_start[], init_array_end[];

void run_constructors() {
    for (const Constructor* each = init_array_start; each < init_array_end; each++) (*each)();
}

extern "C" {
void* __dso_handle;
int __cxa_atexit(void (*)(void*), void*, void*) { return 0; }
void __cxa_pure_virtual() { panic("pure virtual function called"); }
[[noreturn]] void abort() { panic("abort called"); }
// std::popcount: not every x86-64 has the instruction. Sums in fields of 2, 4 and 8 bits.
int __popcountdi2(unsigned long word) {
    word -= word >> 1 & 0x5555555555555555;
    word = (word & 0x3333333333333333) + (word >> 2 & 0x3333333333333333);
    word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0f;
    return static_cast<int>(word * 0x0101010101010101 >> 56);
}
}

// Range errors of the header-only standard library (string_view::substr, array::at).
namespace std {
[[noreturn]] void __throw_out_of_range_fmt(const char* what, ...) {
    panic("out of range: %s", what);
}
[[noreturn]] void __throw_length_error(const char* what) { panic("length error: %s", what); }
}  // namespace std
