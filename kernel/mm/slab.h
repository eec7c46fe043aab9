// Kernel heap: a slab allocator with per-CPU magazines for small objects, whole pages by
// vmap above kSlabMaxSize.
#pragma once

#include "kernel/base/types.h"

inline constexpr size_t kSlabMaxSize = 2048;

void slab_init();
// 16-byte aligned (64 from 64 bytes on), contents unknown (0xa5 in debug builds). nullptr
// when memory is out. Any context that holds no lock of rank Slab or above.
[[nodiscard]] void* kmalloc(size_t size);
[[nodiscard]] void* kzalloc(size_t size);
// `size` as given to kmalloc. nullptr is fine.
void kfree(void* object, size_t size);
// Gives back what the caches of all CPUs hold, objects and frames, so that any CPU can have
// it; returns the number of free frames, which is exact then. Thread context, no spin lock.
uint64_t memory_reclaim();

// new and delete for kernel objects, with ENOMEM instead of exceptions.
template <typename T, typename... Args>
Result<T*> make(Args&&... args) {
    void* memory = kmalloc(sizeof(T));
    if (memory == nullptr) return Error(ENOMEM);
    return new (memory) T(static_cast<Args&&>(args)...);
}
template <typename T>
void destroy(T* object) {  // T is the most derived type
    if (object == nullptr) return;
    object->~T();
    kfree(object, sizeof(T));
}
