// Futexes (futex(2)): sleeping until a word in user memory may have changed.
#pragma once
#include <cstdint>

#include "kernel/base/result.h"
#include "kernel/base/types.h"
#include "kernel/sched/thread.h"

// `is_private`: FUTEX_PRIVATE_FLAG, the word is in no memory shared with other processes.
// Addresses are aligned to 4, EINVAL otherwise; EFAULT.

// Sleeps if the word still holds `expected`, else EAGAIN, until a wake-up. ETIMEDOUT at the
// monotonic time `deadline_ns`; kERESTARTSYS.
Result<void> futex_wait(VirtAddr address, uint32_t expected, uint64_t deadline_ns,
                        bool is_private);
// Wakes at most `count` waiters; returns how many.
Result<uint32_t> futex_wake(VirtAddr address, uint32_t count, bool is_private);
// Wakes `wake_count` waiters of `from` and lets at most `move` others wait at `to` instead.
// Returns how many were woken or moved.
Result<uint32_t> futex_requeue(VirtAddr from, VirtAddr to, uint32_t wake_count, uint32_t move,
                               bool is_private);
