// The C++ runtime of the kernel: constructors of static objects, and the functions that
// compiled code refers to but must never reach. Static objects are never destroyed.
#include "kernel/base/runtime.h"

#include <cstddef>

#include "kernel/base/assert.h"

using Constructor = void (*)();
// Bounds of .init_array, set by the linker script.
extern "C" const Constructor init_array_start[], init_array_end[];

void run_constructors() {
    for (const Constructor* constructor = init_array_start; constructor < init_array_end;
         constructor++) {
        (*constructor)();
    }
}

// A virtual destructor makes the compiler emit a deleting variant, which refers to these.
// Kernel objects are freed through their slab (kernel/mm/slab.h) instead.
void operator delete(void*) noexcept { panic("operator delete called"); }
void operator delete(void*, size_t) noexcept { panic("operator delete called"); }

extern "C" {
void* __dso_handle;
int __cxa_atexit(void (*)(void*), void*, void*) { return 0; }
void __cxa_pure_virtual() { panic("pure virtual function called"); }
[[noreturn]] void abort() { panic("abort called"); }
}

// Range errors of the header-only standard library (string_view::substr, array::at).
namespace std {
[[noreturn]] void __throw_out_of_range_fmt(const char* what, ...) {
    panic("out of range: %s", what);
}
[[noreturn]] void __throw_length_error(const char* what) { panic("length error: %s", what); }
}  // namespace std
