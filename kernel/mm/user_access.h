// User memory, from the kernel: the only way in. Addresses are checked against kUserTop,
// faults are resolved by the page-fault handler (demand zero, COW, file pages) or end the
// copy with EFAULT through the fix-up table. The copy loops are lab 3's user_copy.S.
//
// May sleep (a fault takes the address space's Mutex): no spin lock is held.
#pragma once

#include "kernel/arch/paging.h"

// Whole range in user space; no overflow.
inline bool is_user_range(VirtAddr address, uint64_t size) {
    return address <= kUserTop && size <= kUserTop - address;
}

Result<void> copy_from_user(void* to, VirtAddr from, size_t size);
Result<void> copy_to_user(VirtAddr to, const void* from, size_t size);
// As above, but return how many bytes were copied before a fault (0..size).
size_t copy_from_user_partial(void* to, VirtAddr from, size_t size);
size_t copy_to_user_partial(VirtAddr to, const void* from, size_t size);
Result<void> clear_user(VirtAddr to, size_t size);
// Copies a NUL-terminated string of at most size-1 characters; returns its length.
// ENAMETOOLONG when it does not end in time, EFAULT.
Result<size_t> copy_string_from_user(char* to, VirtAddr from, size_t size);

// Direction in the type: a system call's pointer argument says what it is for. Only copies
// come out of it; a raw user pointer is never dereferenced.
template <typename T>
class UserPointer {
    static_assert(std::is_trivially_copyable_v<T>);

  public:
    constexpr UserPointer(VirtAddr address) : address_(address) {}
    bool is_null() const { return address_ == 0; }
    VirtAddr address(size_t index = 0) const { return address_ + index * sizeof(T); }

  private:
    VirtAddr address_;
};
template <typename T>
struct UserIn : UserPointer<T> {
    using UserPointer<T>::UserPointer;
    Result<T> read(size_t index = 0) const {
        T value;
        TRY(copy_from_user(&value, this->address(index), sizeof(T)));
        return value;
    }
};
template <typename T>
struct UserOut : UserPointer<T> {
    using UserPointer<T>::UserPointer;
    Result<void> write(const T& value, size_t index = 0) const {
        return copy_to_user(this->address(index), &value, sizeof(T));
    }
};

// ---- Lab 3, user_copy.S ----
// Each returns the number of bytes NOT copied (0: all). They handle SMAP themselves (STAC,
// CLAC when user_copy_smap is nonzero) and have entries in the fix-up table.
extern "C" {
extern uint8_t user_copy_smap;  // set by page_fault_init
extern uint8_t user_copy_rep;   // long copies: REP MOVSQ beats a loop (page_copy_init)
size_t user_copy_in(void* to, VirtAddr from, size_t size);
size_t user_copy_out(VirtAddr to, const void* from, size_t size);
size_t user_copy_zero(VirtAddr to, size_t size);
// Copies up to and including the NUL, at most `size` bytes. Returns the number of bytes
// copied; to[returned - 1] == 0 if the string ended. *faulted is set to 1 on a fault.
size_t user_copy_string(char* to, VirtAddr from, size_t size, uint8_t* faulted);
}
