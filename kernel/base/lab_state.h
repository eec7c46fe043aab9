// LabState: an opaque block inside a kernel object that belongs to one lab's unit.
//
// The unit defines its own struct, and get<T>() checks at compile time that it fits. The
// unit's init function constructs it and its destroy function ends it, so that students
// design their own data without touching kernel headers.
#pragma once
#include <cstddef>
#include <new>

template <size_t kBytes, size_t kAlign = 64>
struct alignas(kAlign) LabState {
    template <typename T>
    T& get() {
        static_assert(sizeof(T) <= kBytes, "the lab's struct is too big for its LabState");
        static_assert(alignof(T) <= kAlign, "the lab's struct is aligned too strictly");
        return *std::launder(reinterpret_cast<T*>(bytes));
    }
    template <typename T, typename... Args>
    T& construct(Args&&... args) {
        return *new (&get<T>()) T(static_cast<Args&&>(args)...);
    }
    template <typename T>
    void destroy() {
        get<T>().~T();
    }

    unsigned char bytes[kBytes] = {};
};
