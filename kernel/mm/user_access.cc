// The checked side of user memory access: range checks here, the copying and its recovery
// from faults in lab 3's user_copy.S.
#include "kernel/mm/user_access.h"

#include <algorithm>

#include "kernel/arch/features.h"

uint8_t user_copy_smap = 0;
uint8_t user_copy_rep = 0;

namespace {

// How much of [address, address + size) lies in user space, from its start on.
size_t user_part(VirtAddr address, size_t size) {
    return address >= kUserTop ? 0 : std::min<size_t>(size, kUserTop - address);
}

Result<void> done_if(bool ok) {
    if (!ok) [[unlikely]] return Error(EFAULT);
    return {};
}

}  // namespace

void user_access_init() { user_copy_smap = cpu_features.smap; }

Result<void> copy_from_user(void* to, VirtAddr from, size_t size) {
    return done_if(is_user_range(from, size) && user_copy_in(to, from, size) == 0);
}

Result<void> copy_to_user(VirtAddr to, const void* from, size_t size) {
    return done_if(is_user_range(to, size) && user_copy_out(to, from, size) == 0);
}

size_t copy_from_user_partial(void* to, VirtAddr from, size_t size) {
    size_t part = user_part(from, size);
    return part == 0 ? 0 : part - user_copy_in(to, from, part);
}

size_t copy_to_user_partial(VirtAddr to, const void* from, size_t size) {
    size_t part = user_part(to, size);
    return part == 0 ? 0 : part - user_copy_out(to, from, part);
}

Result<void> clear_user(VirtAddr to, size_t size) {
    return done_if(is_user_range(to, size) && user_copy_zero(to, size) == 0);
}

Result<size_t> copy_string_from_user(char* to, VirtAddr from, size_t size) {
    size_t part = user_part(from, size);
    if (part == 0) return Error(size == 0 ? ENAMETOOLONG : EFAULT);
    uint8_t faulted = 0;
    size_t copied = user_copy_string(to, from, part, &faulted);
    if (faulted != 0) return Error(EFAULT);
    if (copied != 0 && to[copied - 1] == 0) return copied - 1;
    return Error(part < size ? EFAULT : ENAMETOOLONG);  // ended at the top of user space?
}
