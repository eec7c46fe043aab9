// Kernel stacks: runs of the vmap area, whose guard pages catch an overflow. Freed ones are
// kept mapped in a list (through their first bytes), because a fork and an exit a
// millisecond later should not cost page-table work and a TLB flush on all CPUs.
//
// Locks: stack_lock (rank KernelSpace), nothing called while it is held.
#include "kernel/mm/kernel_stack.h"

#include "kernel/arch/image.h"
#include "kernel/mm/kernel_space.h"
#include "kernel/sync/spinlock.h"

namespace {

constexpr size_t kStackPages = kKernelStackSize / kPageSize;
constexpr size_t kMaxKept = 64;

struct FreeStack {
    FreeStack* next;
};
SpinLock stack_lock{LockRank::KernelSpace};
FreeStack* free_stacks GUARDED_BY(stack_lock) = nullptr;
size_t kept GUARDED_BY(stack_lock) = 0;

FreeStack* take_kept() {
    SpinGuard guard(stack_lock);
    FreeStack* stack = free_stacks;
    if (stack == nullptr) return nullptr;
    free_stacks = stack->next;
    --kept;
    return stack;
}

bool keep(FreeStack* stack) {
    SpinGuard guard(stack_lock);
    if (kept == kMaxKept) return false;
    stack->next = free_stacks;
    free_stacks = stack;
    ++kept;
    return true;
}

}  // namespace

Result<VirtAddr> alloc_kernel_stack() {
    void* bottom = take_kept();
    if (bottom == nullptr) bottom = TRY(vmap_alloc(kStackPages));
    return reinterpret_cast<VirtAddr>(bottom) + kKernelStackSize;
}

void free_kernel_stack(VirtAddr top) {
    auto* bottom = reinterpret_cast<FreeStack*>(top - kKernelStackSize);
    if (!keep(bottom)) vmap_free(bottom, kStackPages);
}

bool is_kernel_stack(VirtAddr address) {
    constexpr uint64_t kBytes = 16;
    VirtAddr last = address + kBytes - 1;
    auto image_start = reinterpret_cast<VirtAddr>(kernel_data_start);
    auto image_end = reinterpret_cast<VirtAddr>(kernel_data_end);
    bool in_image = address >= image_start && last < image_end;
    bool in_vmap = address >= kVmapBase && last < kKernelBase && last > address;
    if (!in_image && !in_vmap) return false;
    if (kernel_root() == 0) return in_image;
    // Without the lock, for panics: tables of the kernel's map are never freed.
    return page_map_translate(kernel_map(), address).has_value() &&
           page_map_translate(kernel_map(), last).has_value();
}
