// Kernel stacks of kKernelStackSize with an unmapped guard page below: an overflow is a
// double fault on its own stack, not a silent corruption.
#pragma once
#include "kernel/base/result.h"
#include "kernel/base/types.h"
#include "kernel/sched/thread.h"

// Returns the address above the stack's last byte (16-byte aligned). Freed stacks are kept
// for reuse. ENOMEM.
Result<VirtAddr> alloc_kernel_stack();
void free_kernel_stack(VirtAddr top);
// Is [address, address + 16) inside mapped kernel stack or image memory? For the
// backtrace's StackCheck; callable in a panic.
bool is_kernel_stack(VirtAddr address);
