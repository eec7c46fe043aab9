// What libstdc++ would bring, which user programs do not link: operator new and delete over
// malloc, and what its headers call where they would throw. There are no exceptions here, and
// a shell that is out of memory or out of bounds cannot go on.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <new>

namespace {

[[noreturn]] void die(const char* reason) {
    [[maybe_unused]] ssize_t written = write(2, "mello-sh: ", 10);
    written = write(2, reason, strlen(reason));
    written = write(2, "\n", 1);
    _exit(2);
}

}  // namespace

void* operator new(size_t size) {
    void* memory = malloc(size);
    if (!memory) die("out of memory");
    return memory;
}
void operator delete(void* memory) noexcept { free(memory); }
void operator delete(void* memory, size_t) noexcept { free(memory); }

namespace std {
void __throw_length_error(const char* where) { die(where); }
void __throw_logic_error(const char* where) { die(where); }
void __throw_out_of_range_fmt(const char* where, ...) { die(where); }
void __throw_bad_alloc() { die("out of memory"); }
void __throw_bad_array_new_length() { die("out of memory"); }
}  // namespace std
