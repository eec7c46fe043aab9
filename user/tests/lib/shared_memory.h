// Memory that forked processes share.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

// A zeroed T that this process and its later children share; there is no freeing it. Exits 100
// where there is no memory.
template <typename T>
T* shared_memory() {
    void* memory = mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                        -1, 0);
    if (memory == MAP_FAILED) _exit(100);
    return static_cast<T*>(memory);
}
