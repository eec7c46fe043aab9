// What libstdc++ would bring, which user programs do not link: operator new and delete
// over malloc, and what its headers call where they would throw. There are no exceptions
// here, and a shell that is out of memory or out of bounds cannot go on.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <new>
#include <utility>

namespace {

[[noreturn]] void die(const char* reason) {
    [[maybe_unused]] ssize_t written = write(2, "mello-sh: ", 10);
    written = write(2, reason, strlen(reason));
    written = write(2, "\n", 1);
    _exit(2);
}

// The first allocations, which is all that a prompt needs, come from here and are never
// given back: malloc's own start costs five system calls.
alignas(16) char first_memory[8192];
size_t first_used = 0;

bool is_first(const void* memory) {
    return memory >= first_memory && memory < first_memory + sizeof first_memory;
}

}  // namespace

void* operator new(size_t size) {
    size_t rounded = (size + 15) & ~size_t{15};
    if (rounded >= size && rounded <= sizeof first_memory - first_used) {
        return first_memory + std::exchange(first_used, first_used + rounded);
    }
    void* memory = malloc(size);
    if (!memory) die("out of memory");
    return memory;
}
void operator delete(void* memory) noexcept {
    if (!is_first(memory)) free(memory);
}
void operator delete(void* memory, size_t) noexcept { operator delete(memory); }

namespace std {
void __throw_length_error(const char* where) { die(where); }
void __throw_logic_error(const char* where) { die(where); }
void __throw_out_of_range_fmt(const char* where, ...) { die(where); }
void __throw_bad_alloc() { die("out of memory"); }
void __throw_bad_array_new_length() { die("out of memory"); }
}  // namespace std
