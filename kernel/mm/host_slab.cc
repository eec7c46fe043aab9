// The kernel heap under host tests: the host's, so that its sanitizers see every object.
#include <cstdlib>
#include <cstring>

#include "kernel/mm/slab.h"

void slab_init() {}
void* kmalloc(size_t size) { return std::aligned_alloc(64, (size + 63) & ~size_t{63}); }
void* kzalloc(size_t size) {
    void* object = kmalloc(size);
    if (object != nullptr) std::memset(object, 0, size);
    return object;
}
void kfree(void* object, size_t) { std::free(object); }
