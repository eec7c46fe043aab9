// What this layer needs of memory management, which lies above it: defined in kernel/mm
// (kernel_space.h), which declares the same with the full contracts.
#pragma once
#include <cstddef>

#include "kernel/base/result.h"
#include "kernel/base/types.h"

PhysAddr kernel_root();
void* map_mmio(PhysAddr address, size_t bytes, bool write_combining);
Result<VirtAddr> alloc_kernel_stack();
void free_kernel_stack(VirtAddr top);
void* kmalloc(size_t size);
void kfree(void* object, size_t size);
