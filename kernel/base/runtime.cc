// The C++ runtime of the kernel: constructors of static objects, functions that compiled code
// refers to but must never reach, and memory and string functions. Static objects are never
// destroyed.
//
// The copies are measured choices (bench/, EMULATORS.md): REP
// MOVSQ moves 7.9 bytes an instruction under icount and runs well on hardware; an unrolled
// loop would be faster in wall time under TCG, REP MOVSB slower everywhere but on hardware
// with ERMS. Short blocks go by pairs of overlapping loads, without a loop.
#include "kernel/base/runtime.h"

#include "kernel/base/log.h"
#include "kernel/base/memory_check.h"

namespace {

// An unaligned integer in memory, free of strict aliasing.
template <typename T>
struct [[gnu::packed, gnu::may_alias]] Unaligned {
    T value;
};
template <typename T>
[[gnu::always_inline]] inline T load(const void* from, size_t offset) {
    return reinterpret_cast<const Unaligned<T>*>(static_cast<const char*>(from) + offset)
        ->value;
}
template <typename T>
[[gnu::always_inline]] inline void store(void* to, size_t offset, T value) {
    reinterpret_cast<Unaligned<T>*>(static_cast<char*>(to) + offset)->value = value;
}

// Copies the first and the last sizeof(T) bytes, which may overlap. Both are loaded before
// one is stored, so the blocks may overlap as well.
template <typename T>
[[gnu::always_inline]] inline void copy_ends(void* to, const void* from, size_t size) {
    T first = load<T>(from, 0), last = load<T>(from, size - sizeof(T));
    store(to, 0, first);
    store(to, size - sizeof(T), last);
}

// Copies 0 to 32 bytes, however the blocks overlap.
[[gnu::always_inline]] inline void copy_short(void* to, const void* from, size_t size) {
    if (size >= 16) copy_ends<unsigned __int128>(to, from, size);
    else if (size >= 8) copy_ends<uint64_t>(to, from, size);
    else if (size >= 4) copy_ends<uint32_t>(to, from, size);
    else if (size >= 2) copy_ends<uint16_t>(to, from, size);
    else if (size == 1) store(to, 0, load<uint8_t>(from, 0));
}

}  // namespace

// `used`: with LTO the compiler may emit calls to these after it dropped them.
// Its C++ declaration gives it the linkage name "memchr" outside of extern "C".
[[gnu::used]] const void* memchr(const void* block, int byte, size_t size) noexcept {
    const auto* bytes = static_cast<const unsigned char*>(block);
    for (size_t i = 0; i < size; i++)
        if (bytes[i] == static_cast<unsigned char>(byte)) return bytes + i;
    return nullptr;
}

extern "C" {

[[gnu::used]] void* memcpy(void* to, const void* from, size_t size) {
    if (size <= 32) {
        copy_short(to, from, size);
        return to;
    }
    memory_check(from, size, false);
    memory_check(to, size, true);
    // The last 8 bytes first, read before the loop can change them; then whole words.
    uint64_t last = load<uint64_t>(from, size - 8);
    void* end_word = static_cast<char*>(to) + size - 8;
    void* out = to;
    size_t words = size / 8;
    asm volatile("rep movsq" : "+D"(out), "+S"(from), "+c"(words) : : "memory");
    store(end_word, 0, last);
    return to;
}

[[gnu::used]] void* memmove(void* to, const void* from, size_t size) {
    if (size <= 32) {
        copy_short(to, from, size);
        return to;
    }
    auto target = reinterpret_cast<uintptr_t>(to), source = reinterpret_cast<uintptr_t>(from);
    if (target - source >= size) return memcpy(to, from, size);  // forward is safe
    // Overlapping, target above source: from the last byte down.
    void* out = static_cast<char*>(to) + size - 1;
    from = static_cast<const char*>(from) + size - 1;
    asm volatile("std\n\trep movsb\n\tcld" : "+D"(out), "+S"(from), "+c"(size) : : "memory");
    return to;
}

[[gnu::used]] void* memset(void* to, int byte, size_t size) {
    uint64_t pattern = 0x0101010101010101u * static_cast<uint8_t>(byte);
    memory_check(to, size, true);
    if (size >= 8) {
        void* out = to;
        size_t words = size / 8;
        asm volatile("rep stosq" : "+D"(out), "+c"(words) : "a"(pattern) : "memory");
        store(to, size - 8, pattern);
        return to;
    }
    for (size_t i = 0; i < size; i++) {
        store(to, i, static_cast<uint8_t>(byte));
        asm volatile("" : : : "memory");  // or GCC makes a call of memset of this loop
    }
    return to;
}

[[gnu::used]] int memcmp(const void* a, const void* b, size_t size) {
    size_t i = 0;
    while (i + 8 <= size && load<uint64_t>(a, i) == load<uint64_t>(b, i)) i += 8;
    for (; i < size; i++) {
        int difference = load<uint8_t>(a, i) - load<uint8_t>(b, i);
        if (difference != 0) return difference;
    }
    return 0;
}

[[gnu::used]] size_t strlen(const char* text) {
    size_t length = 0;
    while (text[length] != '\0') {
        length++;
        asm volatile("" : : : "memory");  // or GCC makes a call of strlen of this loop
    }
    return length;
}

size_t strnlen(const char* text, size_t max) {
    size_t length = 0;
    while (length < max && text[length] != '\0') length++;
    return length;
}

// ---- What compiled code refers to ----

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
}  // extern "C"

bool copy_string(char* to, const char* from, size_t size) {
    size_t i = 0;
    for (; i + 1 < size && from[i] != '\0'; i++) to[i] = from[i];
    if (size > 0) to[i] = '\0';
    return from[i] == '\0';
}

using Constructor = void (*)();
// Bounds of .init_array, set by the linker script.
extern "C" const Constructor init_array_start[], init_array_end[];

void run_constructors() {
    for (const Constructor* each = init_array_start; each < init_array_end; each++) (*each)();
}

// Range errors of the header-only standard library (string_view::substr, array::at).
namespace std {
[[gnu::noreturn]] void __throw_out_of_range_fmt(const char* what, ...) {
    panic("out of range: %s", what);
}
[[gnu::noreturn]] void __throw_length_error(const char* what) { panic("length error: %s", what); }
}  // namespace std
